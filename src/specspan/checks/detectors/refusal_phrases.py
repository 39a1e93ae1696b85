"""Phrases with which models decline, by language; each stands near the start of a refusal."""

from __future__ import annotations

VERSION = "1"

PHRASES: tuple[str, ...] = (
    r"(?i)\bI(?:['’]m|\sam)\s(?:very\s|really\s|so\s|truly\s)?(?:sorry|afraid)\b[^.\n]{0,60}\b(?:can['’]?t|can\s?not|unable|not\sable|won['’]t)\b",
    r"(?i)\bI\s(?:can['’]?t|can\s?not|won['’]t|will\snot|am\snot\sable\sto|am\sunable\sto|must\s(?:decline|refuse)|(?:have|need)\sto\s(?:decline|refuse))\s?(?:help|assist|provide|comply|fulfil|do\sthat|do\sthis|create|write|generate|share|discuss|engage|continue|support|answer|give|offer|with|,|\.|$)",
    r"(?i)\bI['’]?(?:m|\sam)\s(?:not\sable|unable|not\scomfortable|not\sgoing|not\spermitted|not\sallowed)\s(?:to\s)?(?:help|assist|provid|comply|do|creat|writ|generat|shar|discuss|engag|continu|answer|giv|offer|with)",
    r"(?i)\b(?:sorry|apologies),?\s(?:but\s)?(?:I|that|this)\s(?:can['’]?t|can\s?not|won['’]t|is\snot|isn['’]t)\b",
    r"(?i)\b(?:against|violates?|outside)\s(?:my|our|the)\s(?:guidelines|policies|policy|programming|capabilities|principles|usage)\b",
    r"(?i)\bas\san?\sai\b[^.\n]{0,40}\b(?:can['’]?t|can\s?not|unable|not\sable|won['’]t)\b",
    r"(?i)\b(?:es\stut\smir\sleid|tut\smir\sleid|leider|entschuldigung)\b[^.\n]{0,50}\b(?:nicht|kein\w{0,2})\b[^.\n]{0,40}\b(?:helfen|unterstützen|bereitstellen|möglich|beantworten|dienen)\b",
    r"(?i)\b(?:ich\s(?:kann|darf|werde)|(?:kann|darf|werde)\sich)\b[^.\n]{0,40}\b(?:nicht\shelfen|nicht\sunterstützen|nicht\sbeantworten|nicht\sbereitstellen|dabei\snicht)\b",
    r"(?i)\bje\s(?:suis\sdésolée?|regrette|ne\speux\spas|ne\spuis|refuse)\b[^.\n]{0,60}(?:pas|aider|fournir|répondre)",
    r"(?i)\b(?:lo\ssiento|lamento|perdón)\b[^.\n]{0,40}\bno\s(?:puedo|podré|me\ses\sposible)\b",
    r"(?i)\bno\spuedo\s(?:ayudar|asistir|proporcionar|cumplir|hacer|responder)",
    r"(?i)\b(?:desculpe|sinto\smuito|lamento)\b[^.\n]{0,40}\bnão\s(?:posso|consigo)\b",
    r"(?i)\b(?:mi\sdispiace|spiacente|purtroppo)\b[^.\n]{0,40}\bnon\s(?:posso|sono\sin\sgrado)\b",
    r"(?i)\b(?:het\sspijt\sme|sorry|helaas)\b[^.\n]{0,40}\b(?:kan|mag)\s(?:ik\s)?[^.\n]{0,30}\bniet\b",
    r"(?i)\b(?:przykro\smi|przepraszam|niestety)\b[^.\n]{0,40}\bnie\s(?:mogę|jestem\sw\sstanie)\b",
    r"(?i)(?:извините|простите|к\sсожалению|мне\sжаль)[^.\n]{0,40}\bне\s(?:могу|смогу|в\sсостоянии)\b",
    r"(?i)(?:üzgünüm|maalesef|özür\sdilerim)[^.\n]{0,60}(?:\w{2,20}(?:amam|emem|amıyorum|emiyorum)|yardımcı\solamam)",
    r"(?:申し訳|すみません|残念ながら)[^。\n]{0,50}(?:できません|できかねます|お応えできません|いたしかねます)",
    r"(?:抱歉|对不起|對不起|很遗憾)[^。\n]{0,20}(?:无法|不能|無法)",
    r"(?:죄송|유감)[^.\n]{0,40}(?:수\s?없|드릴\s수\s없|어렵습니다)",
    r"(?:آسف|عذرا|عذرًا|للأسف)[^.\n]{0,40}(?:لا\sأستطيع|لا\sيمكنني)",
)
"""In English and eleven other languages."""
