"""What redaction and replacement make of texts. Pure; the order of the rewrites matters only where one is told to win.

- A finding whose evidence points into a text has those characters redacted; overlapping spans become one.
- Evidence whose offsets do not fit its text: the whole text.
- No evidence in any of the texts: all the texts that the check read.
- ``replace`` always takes the whole text, and wins over ``redact`` on the same text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from specspan.checks.check import TextAt
from specspan.decision import Action, Finding

Span: TypeAlias = tuple[int, int, str]
"""Start, end and reason."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What one violated clause asks to have done to the texts."""

    finding: Finding
    action: Action
    """`Action.REDACT` or `Action.REPLACE`."""
    replacement: str
    texts: Sequence[TextAt]
    """Those that the check read."""


@dataclass(slots=True)
class _Marks:
    """What is to happen to one text."""

    spans: list[Span] = field(default_factory=list)
    replacement: str | None = None


def rewritten(rewrites: Iterable[Rewrite]) -> dict[str, str]:
    """New text by pointer. Of several replacements of one text the first one stands."""
    texts: dict[str, str] = {}
    marks: dict[str, _Marks] = {}
    for rewrite in rewrites:
        by_pointer = {text.pointer: text.text for text in rewrite.texts}
        texts.update(by_pointer)
        for pointer, start, end in _places(rewrite.finding, by_pointer):
            mark = marks.setdefault(pointer, _Marks())
            if rewrite.action is Action.REDACT:
                mark.spans.append((start, end, rewrite.finding.reason or rewrite.finding.clause))
            elif mark.replacement is None:
                mark.replacement = rewrite.replacement
    return {
        pointer: redacted(texts[pointer], mark.spans) if mark.replacement is None else mark.replacement
        for pointer, mark in marks.items()
    }


def redacted(text: str, spans: Iterable[Span]) -> str:
    """``text`` with each span replaced by ``[redacted:<reason>]``; overlapping ones by one marker."""
    return replaced(text, spans, lambda _start, _end, reason: marker(reason))


def replaced(text: str, spans: Iterable[Span], instead: Callable[[int, int, str], str]) -> str:
    """``text`` with what ``instead`` gives in the place of each span; overlapping ones are one."""
    pieces: list[str] = []
    position = 0
    for start, end, reason in _merged(spans):
        pieces += (text[position:start], instead(start, end, reason))
        position = end
    return "".join((*pieces, text[position:]))


def marker(reason: str) -> str:
    """What stands in place of redacted text."""
    return f"[redacted:{reason}]"


def _places(finding: Finding, texts: dict[str, str]) -> list[tuple[str, int, int]]:
    places = [
        (evidence.pointer, *_fitting(evidence.start, evidence.end, len(texts[evidence.pointer])))
        for evidence in finding.evidence
        if evidence.pointer in texts
    ]
    return places or [(pointer, 0, len(text)) for pointer, text in texts.items()]


def _fitting(start: int, end: int, length: int) -> tuple[int, int]:
    return (start, end) if 0 <= start < end <= length else (0, length)


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end, reason in sorted(spans):
        if merged and start < merged[-1][1]:
            first, last, kept = merged[-1]
            merged[-1] = (first, max(last, end), kept)
        else:
            merged.append((start, end, reason))
    return merged


# MERGED model: What the engine says while a call is under way.


@dataclass(frozen=True, slots=True)
class Ruling:
    """What to do now. In observe mode it never asks for anything."""

    action: Action = Action.ALLOW
    edits: Mapping[str, str] = field(default_factory=dict)
    """New text by JSON pointer of the part it stands in, under ``redact`` and ``replace``."""


PROCEED = Ruling()
"""Nothing to do: send it, or hand it over, as it is."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A streamed answer ends here: the chunk just fed is not handed over."""

    action: Action
    text: str | None = None
    """What to hand over in its place under ``redact`` and ``replace``; None hands over nothing."""
