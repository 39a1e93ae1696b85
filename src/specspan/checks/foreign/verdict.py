"""Verdict of a guardrail about one text, whatever the guardrail called it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from specspan.decision import Outcome

Span = tuple[int, int]

MAX_SPANS = 64
_MAX_COMPARED = 4_000
"""Words of a text that are compared with those of its masked form; of more, the part that differs is one span."""
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
_CODE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Verdict about one text."""

    outcome: Outcome
    reason: str | None = None
    """Low-cardinality code."""
    score: float | None = None
    explanation: str | None = None
    spans: tuple[Span, ...] = ()
    """Places in the text; empty where the guardrail names none."""


class InvalidVerdict(ValueError):
    """Answer of a guardrail that means nothing."""


def verdict_from(is_violated: Any, text: str, masked: Any = None, **more: Any) -> Verdict:
    """Return the verdict of a guardrail that says yes or no and may hand back a masked text.

    Args:
        is_violated: whether it objects.
        text: what it was given.
        masked: what it would pass on; a text that differs is an objection, too. None: it says nothing.
        more: further fields of the verdict.

    Raises:
        InvalidVerdict: its answer is neither yes nor no, or what it would pass on is no text.
    """
    if not isinstance(is_violated, bool):
        raise InvalidVerdict(f"a verdict of the type {type(is_violated).__name__}")
    if masked is not None and not isinstance(masked, str):
        raise InvalidVerdict(f"a masked text of the type {type(masked).__name__}")
    spans = more.pop("spans", ()) or (changed_spans(text, masked) if masked is not None else ())
    if not is_violated and not spans:
        return Verdict(Outcome.COMPLIED, score=more.get("score"))
    if not is_violated:
        more["reason"] = more.get("reason") or "masked"
    return Verdict(Outcome.VIOLATED, spans=tuple(spans)[:MAX_SPANS], **more)


def changed_spans(text: str, masked: str) -> tuple[Span, ...]:
    """Return the places of ``text`` that ``masked`` replaces or leaves out, by whole words."""
    if text == masked:
        return ()
    words, others = _WORD.findall(text), _WORD.findall(masked)
    if max(len(words), len(others)) > _MAX_COMPARED:
        return (_differing_middle(text, masked),)
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word))
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    changed = [
        (starts[i], starts[j]) for operation, i, j, _, _ in matcher.get_opcodes() if operation in ("replace", "delete")
    ]
    return tuple(changed) or ((0, len(text)),)  # it only added something: the text as a whole is not to go on


def _differing_middle(text: str, other: str) -> Span:
    start = next((i for i, (a, b) in enumerate(zip(text, other, strict=False)) if a != b), min(len(text), len(other)))
    pairs = zip(reversed(text[start:]), reversed(other[start:]), strict=False)
    same = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(text), len(other)) - start)
    return start, max(len(text) - same, start)


def spans_of(text: str, words: Iterable[Any]) -> tuple[Span, ...]:
    """Return the places of words in a text, in any case; what is not a text, or not there, is left out."""
    folded = text.lower()
    if len(folded) != len(text):  # a few letters are longer in lower case
        folded = text
    spans: list[Span] = []
    for word in dict.fromkeys(each for each in words if isinstance(each, str) and each):
        at = folded.find(word.lower() if folded is not text else word)
        while at >= 0 and len(spans) < MAX_SPANS:
            spans.append((at, at + len(word)))
            at = folded.find(word.lower() if folded is not text else word, at + len(word))
    return tuple(sorted(spans))


def valid_spans(text: str, given: Any) -> tuple[Span, ...]:
    """Return the pairs of offsets in ``given`` that are places of ``text``.

    Raises:
        InvalidVerdict: one of them is not.
    """
    if given is None:
        return ()
    if not isinstance(given, (list, tuple)):
        raise InvalidVerdict("spans that are not a list")
    for each in given[:MAX_SPANS]:
        is_pair = isinstance(each, (list, tuple)) and len(each) == 2 and all(type(at) is int for at in each)
        if not is_pair or not 0 <= each[0] <= each[1] <= len(text):
            raise InvalidVerdict("a span outside of the text")
    return tuple((each[0], each[1]) for each in given[:MAX_SPANS])


def code_of(value: Any, default: str) -> str:
    """Return a reason as a low-cardinality code: lower case, at most 64 characters; ``default`` for what has none."""
    code = _CODE.sub("_", str(value).lower()[:200]).strip("_")[:64] if isinstance(value, str) else ""
    return code or default


_OUTCOMES = {
    "complied": Outcome.COMPLIED,
    "violated": Outcome.VIOLATED,
    "uncertain": Outcome.UNCERTAIN,
    "not_applicable": Outcome.NOT_APPLICABLE,
}


def verdict_from_json(answer: Any, text: str, reason: str) -> Verdict:
    """Return the verdict in a JSON object ``{"outcome", "reason", "score", "explanation", "spans", "masked"}``.

    Raises:
        InvalidVerdict: it is no such object.
    """
    if not isinstance(answer, Mapping) or answer.get("outcome") not in _OUTCOMES:
        raise InvalidVerdict("an answer without an outcome that is known")
    outcome, masked, score = _OUTCOMES[answer["outcome"]], answer.get("masked"), answer.get("score")
    if isinstance(score, bool) or not isinstance(score, (int, float, type(None))):
        raise InvalidVerdict("a score that is not a number")
    explanation = answer.get("explanation") if isinstance(answer.get("explanation"), str) else None
    code = code_of(answer.get("reason"), reason)
    if outcome is Outcome.VIOLATED or masked is not None:
        spans = valid_spans(text, answer.get("spans"))
        is_violated = outcome is Outcome.VIOLATED
        return verdict_from(is_violated, text, masked, reason=code, score=score, explanation=explanation, spans=spans)
    return Verdict(outcome, code if outcome is Outcome.UNCERTAIN else None, score, explanation)
