"""Answer formats of guard models, which read a policy in the prompt and answer in few words.

- gpt-oss-safeguard: https://developers.openai.com/cookbook/articles/gpt-oss-safeguard-guide
- Llama Guard: https://huggingface.co/meta-llama/Llama-Guard-3-8B
- ShieldGemma: https://huggingface.co/google/shieldgemma-2b
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from specspan.checks.judging.judge_answer import INVALID_ANSWER, RawAnswer, read_answers, read_json_object
from specspan.checks.judging.rubrics import GENERAL, LLAMA_GUARD

Answers = tuple[dict[str, "RawAnswer | str"], int]

_CATEGORIES = re.compile(r"S[0-9]{1,3}(?:\s*,\s*S[0-9]{1,3})*")


def read_reply(rubric: str, text: str, clauses: Sequence[str]) -> Answers:
    """Return, by clause, its answer or the code of what is wrong; and the number of answers about other clauses."""
    return _READERS[rubric](text, clauses)


def _safeguard(text: str, clauses: Sequence[str]) -> Answers:
    if text.strip() in ("0", "1"):
        return _one(clauses, text.strip() == "1"), 0
    value = read_json_object(text)
    violation = None if value is None else value.get("violation")
    if value is None or type(violation) is not int or violation not in (0, 1):
        return dict.fromkeys(clauses, INVALID_ANSWER), 0
    rationale = value.get("rationale")
    return _one(clauses, violation == 1, rationale if isinstance(rationale, str) else ""), 0


def _llama_guard(text: str, clauses: Sequence[str]) -> Answers:
    lines = text.strip().splitlines()
    if lines == ["safe"]:
        return {clause: _ruling(clause, is_violated=False) for clause in clauses}, 0
    if len(lines) != 2 or lines[0].strip() != "unsafe" or not _CATEGORIES.fullmatch(lines[1].strip()):
        return dict.fromkeys(clauses, INVALID_ANSWER), 0
    numbers = {int(each) for each in re.findall(r"[0-9]+", lines[1])}
    known = numbers & set(range(1, len(clauses) + 1))
    if not known:  # unsafe, by a category that was not asked for: nothing that clears a clause
        return dict.fromkeys(clauses, INVALID_ANSWER), len(numbers)
    return {clause: _ruling(clause, is_violated=number in known) for number, clause in enumerate(clauses, 1)}, len(
        numbers - known
    )


def _shieldgemma(text: str, clauses: Sequence[str]) -> Answers:
    word = re.match(r"\s*(Yes|No)\b", text)
    if word is None:
        return dict.fromkeys(clauses, INVALID_ANSWER), 0
    return _one(clauses, word[1] == "Yes", text[word.end() :].strip()), 0


def _one(clauses: Sequence[str], is_violated: bool, explanation: str = "") -> dict[str, RawAnswer | str]:
    return {clause: _ruling(clause, is_violated=is_violated, explanation=explanation) for clause in clauses}


def _ruling(clause: str, *, is_violated: bool, explanation: str = "") -> RawAnswer:
    """Return the answer of a model that gives no probability: it is sure."""
    outcome = "violated" if is_violated else "complied"
    return RawAnswer(clause, applies=True, outcome=outcome, score=float(is_violated), explanation=explanation)


_READERS: Mapping[str, Callable[[str, Sequence[str]], Answers]] = {
    GENERAL: read_answers,
    "gpt-oss-safeguard": _safeguard,
    LLAMA_GUARD: _llama_guard,
    "shieldgemma": _shieldgemma,
}
