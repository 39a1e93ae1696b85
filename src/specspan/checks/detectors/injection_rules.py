"""Rules for instructions that stand in content nobody should take instructions from, by families with versions.

A family's version changes whenever one of its patterns does. Patterns are in the syntax of `specspan.checks.patterns`;
between words they allow a few others, never a whole sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from specspan.checks.detectors.detector import PatternDetector


@dataclass(frozen=True, slots=True)
class Family:
    """Rules that look for one sort of attack."""

    name: str
    version: str
    patterns: tuple[str, ...]


_PRIOR = r"(?:previous|prior|above|earlier|preceding|foregoing|existing|original|all|any|your)"
_ORDERS = (
    r"(?:instructions?|prompts?|directions?|rules?|guidelines?|orders|commands?|policies|constraints|guardrails|"
    r"context)"
)
_DROP = (
    r"ignore|disregard|forget|override|bypass|overlook|discard|drop|skip|do not follow|don['’]t follow|stop following"
)
_GAP = r"(?:[\s\w,'’]{0,24}\s)?"

FAMILIES: Sequence[Family] = (
    Family(
        "override",
        "1",
        (
            rf"(?i)\b(?:{_DROP})\s{_GAP}{_PRIOR}\s{_GAP}{_ORDERS}\b",
            r"(?i)\b(?:ignore|disregard|forget)\s(?:everything|all|anything)\s(?:that\s)?(?:you|above|before|was|i|we|they)\b",
            r"(?i)\b(?:new|updated|real|actual|revised)\s(?:system\s)?(?:instructions?|task|objective|directive)s?\s?(?::|follow)",
            r"(?i)\binstead,?\s(?:of\s[\w\s]{1,30},\s)?you\s(?:must|should|will|are\sto)\b",
            r"(?i)(?:ignorier\w{0,3}|vergiss|vergessen\ssie|missachte\w{0,2})\s[\w\s]{0,24}(?:anweisung\w{0,2}|vorgaben|regeln|befehle?|instruktion\w{0,2})",
            r"(?i)(?:ignore[rz]?|oublie[rz]?)\s[\w\s]{0,20}(?:instructions?|consignes|règles|directives)",
            r"(?i)(?:ignor[ae]\w{0,2}|olvid[ae]\w{0,3}|haz\scaso\somiso)\s[\w\s]{0,20}(?:instrucciones|reglas|órdenes|indicaciones)",
            r"(?i)(?:ignor[ae]\w{0,2}|esque[çc]\w{0,4}|desconsider\w{1,3})\s[\w\s]{0,20}(?:instruções|regras|ordens)",
            r"(?i)(?:ignor[aei]\w{0,2}|dimentic\w{1,4})\s[\w\s]{0,20}(?:istruzioni|regole|ordini|indicazioni)",
            r"(?i)(?:negeer|vergeet)\s[\w\s]{0,20}(?:instructies|regels|opdrachten|aanwijzingen)",
            r"(?i)(?:zignoruj|ignoruj|zapomnij)\s[\w\s]{0,20}(?:instrukcj\w{1,3}|polece\w{1,4}|zasad\w{0,2})",
            r"(?i)(?:игнорируй\w{0,2}|проигнорируй\w{0,2}|забудь\w{0,2})\s[\w\s]{0,24}(?:инструкци\w{1,3}|указани\w{1,3}|правил\w{0,2})",
            r"(?:忽略|无视|忘记|忽視|無視)[^。\n]{0,12}(?:指令|指示|说明|規則|规则|提示)",
            r"(?:指示|命令|ルール|プロンプト)[^。\n]{0,8}(?:無視|忘れ)",
            r"(?:지시|명령|규칙|프롬프트)\S{0,4}\s?[^.\n]{0,8}(?:무시|잊)",
            r"(?:تجاهل|انس)\s[^.\n]{0,24}(?:التعليمات|الأوامر|القواعد)",
            r"(?i)(?:önceki|yukarıdaki|tüm)\s[\w\s]{0,16}(?:talimat\w{0,6}|komut\w{0,6}|kural\w{0,6})\s[\w\s]{0,12}(?:yok\ssay|unut|görmezden)",
        ),
    ),
    Family(
        "role",
        "1",
        (
            r"(?i)\byou\sare\s(?:now|no\slonger)\s(?:an?\s|the\s|in\s|going\sto\s|dan\b|free|unrestricted|jailbroken)",
            r"(?i)\b(?:pretend|act|behave|respond|roleplay)\s(?:as\sif|as\sthough|to\sbe|like|as)\s(?:you\s(?:are|were|have\sno)|an?\s(?:unrestricted|unfiltered|evil|uncensored))",
            r"(?i)\b(?:developer|debug|admin|maintenance|god|sudo|dan|jailbreak)\smode\s(?:enabled|activated|on|is\snow)\b",
            r"(?i)\bdo\sanything\snow\b",
            r"(?i)\bwithout\s(?:any\s)?(?:restrictions|filters|safety|censorship|ethical)\b",
        ),
    ),
    Family(
        "disclosure",
        "1",
        (
            rf"(?i)\b(?:reveal|print|repeat|output|show|display|reproduce|leak|disclose|send|list|tell\s(?:me|us))\s{_GAP}(?:system|initial|hidden|secret|internal|original|developer)\s(?:prompt|instructions?|message|rules|configuration)",
            rf"(?i)\b(?:repeat|print|output)\s(?:everything|all|the\stext|the\swords)\s{_GAP}(?:above|before)\b",
            r"(?i)\b(?:include|append|add|insert|embed|output|send|post|forward|exfiltrate|upload|transmit)\s[\w\s,'’]{0,40}(?:api\skeys?|passwords?|credentials|secrets|tokens?|conversation|chat\shistory|user['’]?s?\s(?:data|e-?mail|name))\s[\w\s,'’]{0,24}(?:to|at|in|as|into)\b",
        ),
    ),
    Family(
        "delimiter",
        "1",
        (
            r"<\|(?:im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id|begin_of_text|channel|message)\|?>",
            r"\[/?(?:INST|SYS|SYSTEM)\]|<</?SYS>>",
            r"(?im)^\s{0,3}(?:#{1,4}\s?)?(?:system|developer)(?:\s(?:prompt|message|override|instructions?|note))?\s?:\s",
            r"(?i)</?(?:system|system_prompt|developer|instructions?|assistant|untrusted|tool_result|tool_response|function_results)>",
            r"(?i)\b(?:end|begin|start)\sof\s(?:system\s)?(?:prompt|instructions|document|context|user\sinput|tool\s(?:result|output))\b",
        ),
    ),
    Family(
        "concealment",
        "1",
        (
            r"(?i)\b(?:do\snot|don['’]t|never|without)\s(?:tell|telling|mention|mentioning|inform|informing|notify|notifying|alert|alerting|reveal|revealing|disclose|let)\s[\w\s,'’]{0,24}(?:user|human|customer|anyone|anybody|owner|person)\b",
            r"(?i)\b(?:important|urgent|attention|note)\s?(?:message|instructions?|notice)?\s(?:to|for)\s(?:the\s|all\s|any\s)?(?:ai|llm|language\smodels?|assistants?|chatbots?|agents?|models?)\b",
            r"(?i)\b(?:ai|llm|language\smodel|assistant|chatbot|agent)s?\s?(?:reading|processing|summari[sz]ing|parsing|viewing)\sthis\b",
            r"(?i)\bif\syou\sare\s(?:an?\s)?(?:ai|llm|language\smodel|assistant|chatbot|agent|bot)\b",
            r"[\U000e0020-\U000e007e]{4,}",
        ),
    ),
    Family(
        "action",
        "1",
        (
            r"(?i)\b(?:you\smust|you\sshould|please|now|immediately|instead|then)\s[\w\s,'’]{0,16}(?:call|invoke|use|run|execute|trigger)\s(?:the\s)?[\w.-]{1,40}\s(?:tool|function|command|api|plugin)\b",
            r"(?i)\b(?:transfer|wire|send|pay)\s[\w\s$€£.,]{1,30}\s(?:to\s(?:account|iban|wallet|the\sfollowing|this)|bitcoin|btc)\b",
            r"(?i)\b(?:delete|drop|wipe|erase)\s(?:all|every|the\sentire)\s[\w\s]{0,20}(?:files?|records?|tables?|database|emails?|data|backups?)\b",
            r"(?i)\b(?:forward|send|e-?mail|cc|bcc)\s[\w\s,'’]{0,40}\sto\s[\w.+-]{1,64}@[\w-]{1,40}\.",
            r"(?i)\b(?:curl|wget|fetch|visit|open|navigate\sto|make\s(?:an?\s)?(?:http\s)?request\sto)\s(?:the\s(?:url|link|page)\s)?https?://",
        ),
    ),
)
"""In the order in which one names a finding of several."""


def injection_detectors(names: Sequence[str]) -> tuple[PatternDetector, ...]:
    """Return the detectors of some families."""
    return tuple(PatternDetector(family.name, family.patterns) for family in FAMILIES if family.name in names)


def families_version(names: Sequence[str]) -> str:
    """Return one version of some families, which changes with each of theirs and with their number."""
    versions = ",".join(f"{family.name}={family.version}" for family in FAMILIES if family.name in names)
    return sha256(versions.encode()).hexdigest()[:8]
