"""Redaction and replacement of texts, and the rulings and cuts that carry them to the caller.

- A finding whose evidence points into a text has those characters redacted; overlapping spans become one.
- Evidence whose offsets do not fit its text takes the whole text.
- A finding without evidence in any of the texts takes all the texts that the check read.
- ``replace`` always takes the whole text, and wins over ``redact`` on the same text.

Everything here is pure. The order of the rewrites matters only between several replacements of one text.
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
class Ruling:
    """Action to take on a call now. In observe mode it never asks for anything."""

    action: Action = Action.ALLOW
    edits: Mapping[str, str] = field(default_factory=dict)
    """New text by JSON pointer of the part it stands in, under ``redact`` and ``replace``."""


PROCEED = Ruling()
"""Nothing to do: the request is sent, or the answer is handed over, as it is."""


@dataclass(frozen=True, slots=True)
class Cut:
    """End of a streamed answer: the latest chunk is not handed over."""

    action: Action
    text: str | None = None
    """Text to hand over in place of the chunk under ``redact`` and ``replace``; None hands over nothing."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """Change to some texts that one violated clause asks for."""

    finding: Finding
    action: Action
    """`Action.REDACT` or `Action.REPLACE`."""
    replacement: str
    texts: Sequence[TextAt]
    """Texts that the check read."""


@dataclass(slots=True)
class _TextChanges:
    """Changes to one text."""

    spans: list[Span] = field(default_factory=list)
    replacement: str | None = None


def rewrite_texts(rewrites: Iterable[Rewrite]) -> dict[str, str]:
    """Return the new text by pointer. Of several replacements of one text the first one counts."""
    texts: dict[str, str] = {}
    changes: dict[str, _TextChanges] = {}
    for rewrite in rewrites:
        by_pointer = {text.pointer: text.text for text in rewrite.texts}
        texts.update(by_pointer)
        for pointer, start, end in _places(rewrite.finding, by_pointer):
            change = changes.setdefault(pointer, _TextChanges())
            if rewrite.action is Action.REDACT:
                change.spans.append((start, end, rewrite.finding.reason or rewrite.finding.clause))
            elif change.replacement is None:
                change.replacement = rewrite.replacement
    return {
        pointer: redact_spans(texts[pointer], change.spans) if change.replacement is None else change.replacement
        for pointer, change in changes.items()
    }


def redact_spans(text: str, spans: Iterable[Span]) -> str:
    """Return ``text`` with each span replaced by ``[redacted:<reason>]``; overlapping ones by one marker."""
    return replace_spans(text, spans, lambda _start, _end, reason: redaction_marker(reason))


def replace_spans(text: str, spans: Iterable[Span], substitute: Callable[[int, int, str], str]) -> str:
    """Return ``text`` with each span replaced by what ``substitute`` returns for it; overlapping ones count as one."""
    pieces: list[str] = []
    position = 0
    for start, end, reason in _merge_overlapping(spans):
        pieces += (text[position:start], substitute(start, end, reason))
        position = end
    return "".join((*pieces, text[position:]))


def redaction_marker(reason: str) -> str:
    """Return the marker that takes the place of redacted text."""
    return f"[redacted:{reason}]"


def _places(finding: Finding, texts: dict[str, str]) -> list[tuple[str, int, int]]:
    places = [
        (evidence.pointer, *_span_or_all(evidence.start, evidence.end, len(texts[evidence.pointer])))
        for evidence in finding.evidence
        if evidence.pointer in texts
    ]
    return places or [(pointer, 0, len(text)) for pointer, text in texts.items()]


def _span_or_all(start: int, end: int, length: int) -> tuple[int, int]:
    return (start, end) if 0 <= start < end <= length else (0, length)


def _merge_overlapping(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end, reason in sorted(spans):
        if merged and start < merged[-1][1]:
            first, last, kept = merged[-1]
            merged[-1] = (first, max(last, end), kept)
        else:
            merged.append((start, end, reason))
    return merged
