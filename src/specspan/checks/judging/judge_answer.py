"""Answer of a judge about one clause, read from what a model wrote. Whatever that is, nothing is raised."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.checks.judging.fence import FencedText, find_quotation
from specspan.decision import Evidence, Finding, Judgement, Outcome

INVALID_ANSWER = "invalid_answer"
"""Error: the answer is not what the format asks for."""
MISSING_ANSWER = "missing_answer"
"""Error: the clause was asked for, and there is no answer about it."""
CONTRADICTORY_ANSWER = "contradictory_answer"
"""Error: there are two answers about the clause, or outcome and score say opposite things."""
TEXT_LEFT_OUT = "text_left_out"
"""Uncertain: the judge found nothing amiss, and was not shown the whole text."""
BELOW_THRESHOLD = "below_threshold"
"""Uncertain: the score lies between the thresholds."""

JUDGED = "judged"
"""Violated, or uncertain: the judge says so."""
_NEED_REASON = (Outcome.VIOLATED, Outcome.UNCERTAIN)

MAX_ANSWER_CHARS = 100_000
_MAX_QUOTATIONS = 16
_TEXT_CHARS = 2_000
_MEMBERS = frozenset(("clause", "applies", "outcome", "score", "explanation", "sentence", "quotations"))
_CODE = "```"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which a judge decides; between them it abstains."""

    violated: float = 0.5
    """Score from which on the clause counts as violated."""
    complied: float | None = None
    """Score up to which the clause counts as complied with; None: below ``violated``."""


BY_DEFAULT = Thresholds()
ABSTAINING = Thresholds(math.inf, -math.inf)
"""Thresholds of a judge that may decide nothing."""


@dataclass(frozen=True, slots=True)
class JudgeAnswer:
    """Answer of a judge about one clause of one call."""

    clause: str
    outcome: Outcome
    """``complied``, ``violated``, ``uncertain``, ``not_applicable``; ``error`` where there is no answer."""
    score: float | None = None
    """Probability from 0 to 1 that the clause is violated; None where there is no answer."""
    applies: bool | None = None
    """False where the clause has no bearing on the call; None where there is no answer."""
    explanation: str | None = None
    sentence: str | None = None
    """Sentence of the clause that decides, as the judge gives it."""
    evidence: tuple[Evidence, ...] = ()
    """Where the quotations stand in the call."""
    reason: str | None = None
    """Code of what failed, or of why the judge abstains."""
    dropped_quotations: int = 0
    """Quotations that are not in the call."""
    left_out_chars: int = 0
    """Characters of the call that the judge was not shown."""
    spread: float | None = None
    """Difference of the largest and the smallest score, where the judge was asked several times."""

    def finding(self, sampled: float = 1.0) -> Finding:
        """Return the answer as a finding; ``sampled``: the probability with which the call was chosen."""
        explanation = " — ".join(text for text in (self.explanation, self.sentence) if text) or None
        return Finding(
            self.outcome,
            self.reason or (JUDGED if self.outcome in _NEED_REASON else None),
            self.score,
            explanation,
            self.evidence,
            judgement=Judgement(
                self.applies, sampled, self.spread, self.dropped_quotations or None, self.left_out_chars or None
            ),
        )


def error_answer(clause: str, reason: str) -> JudgeAnswer:
    """Return the answer about a clause about which the judge gave none that can be read."""
    return JudgeAnswer(clause, Outcome.ERROR, reason=reason)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """Members of one answer, each of the right type."""

    clause: str
    applies: bool
    outcome: str
    score: float
    explanation: str = ""
    sentence: str = ""
    quotations: tuple[str, ...] = ()


def read_json_object(text: str) -> Mapping[str, Any] | None:
    """Return the one JSON object that a text is, or that stands in the one block of code that it is."""
    if len(text) > MAX_ANSWER_CHARS:
        return None
    try:
        value = json.loads(_without_code_marks(text), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_answers(text: str, clauses: Sequence[str]) -> tuple[dict[str, RawAnswer | str], int]:
    """Return, by clause that was asked for, its answer or the code of what is wrong; and how many others there are."""
    value = read_json_object(text)
    if value is None or value.keys() != {"answers"} or not isinstance(value["answers"], list):
        return dict.fromkeys(clauses, INVALID_ANSWER), 0
    found: dict[str, RawAnswer | str] = {}
    others = 0
    for entry in value["answers"]:
        name = entry.get("clause") if isinstance(entry, dict) else None
        if not isinstance(name, str) or name not in clauses:
            others += 1
        elif name in found:
            found[name] = CONTRADICTORY_ANSWER
        else:
            found[name] = _raw_answer(entry) or INVALID_ANSWER
    return {clause: found.get(clause, MISSING_ANSWER) for clause in clauses}, others


def conclude_answer(raw: RawAnswer | str, clause: str, fenced: FencedText, thresholds: Thresholds) -> JudgeAnswer:
    """Return the answer with its outcome by the thresholds, and its quotations as places in the call."""
    if isinstance(raw, str):
        return error_answer(clause, raw)
    if (raw.outcome == "violated" and (raw.score < 0.5 or not raw.applies)) or (
        raw.outcome == "complied" and raw.score > 0.5
    ):
        return error_answer(clause, CONTRADICTORY_ANSWER)
    places = [find_quotation(fenced, quotation) for quotation in raw.quotations]
    outcome, reason = _outcome(raw, thresholds)
    if fenced.left_out_chars and outcome in (Outcome.COMPLIED, Outcome.NOT_APPLICABLE):
        outcome, reason = Outcome.UNCERTAIN, TEXT_LEFT_OUT
    return JudgeAnswer(
        clause,
        outcome,
        raw.score,
        raw.applies,
        raw.explanation[:_TEXT_CHARS] or None,
        raw.sentence[:_TEXT_CHARS] or None,
        tuple(dict.fromkeys(place for place in places if place is not None)),
        reason,
        places.count(None),
        fenced.left_out_chars,
    )


def _outcome(raw: RawAnswer, thresholds: Thresholds) -> tuple[Outcome, str | None]:
    if not raw.applies:
        return Outcome.NOT_APPLICABLE, None
    if raw.outcome == "uncertain":
        return Outcome.UNCERTAIN, None
    if raw.score >= thresholds.violated:
        return Outcome.VIOLATED, None
    if thresholds.complied is None or raw.score <= thresholds.complied:
        return Outcome.COMPLIED, None
    return Outcome.UNCERTAIN, BELOW_THRESHOLD


def _raw_answer(entry: Mapping[str, Any]) -> RawAnswer | None:
    if not entry.keys() <= _MEMBERS or not {"applies", "outcome", "score"} <= entry.keys():
        return None
    score, quotations = entry["score"], entry.get("quotations", [])
    texts = (entry.get("explanation", ""), entry.get("sentence", ""))
    is_valid = (
        isinstance(entry["applies"], bool)
        and entry["outcome"] in ("complied", "violated", "uncertain")
        and isinstance(score, (int, float))
        and not isinstance(score, bool)
        and 0 <= score <= 1  # which no NaN is; an integer may be too large for a float
        and all(isinstance(text, str) for text in texts)
        and isinstance(quotations, list)
        and all(isinstance(each, str) for each in quotations)
    )
    if not is_valid:
        return None
    return RawAnswer(
        entry["clause"], entry["applies"], entry["outcome"], float(score), *texts, tuple(quotations[:_MAX_QUOTATIONS])
    )


def _without_code_marks(text: str) -> str:
    """Return what stands in the block of code that a text is; any other text as it is. The time is linear."""
    stripped = text.strip()
    first, has_lines, rest = stripped.partition("\n")
    if has_lines and first.rstrip() in (_CODE, f"{_CODE}json") and rest.endswith(_CODE):
        return rest.removesuffix(_CODE)
    return text


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name stands twice in one object")
    return dict(pairs)
