"""Redaction and replacement of texts, and the rulings and cuts that carry them to the caller.

- A finding whose evidence points into a text has those characters redacted; overlapping spans become one.
- Evidence whose offsets do not fit its text takes the whole text.
- A finding without evidence in any of the texts takes all the texts that the check read.
- ``replace`` always takes the whole text, and wins over ``redact`` on the same text.

Everything here is pure. The order of the rewrites matters only between several replacements of one text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from specspan.checks.check import Redaction, TextAt
from specspan.decision import Action, Finding
from specspan.engine.pseudonyms import Pseudonyms

Span: TypeAlias = tuple[int, int, str]
"""Start, end and the text that takes their place, or the reason for which something does."""


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
    redactions: Sequence[Redaction] = ()
    """Places that the check wants redacted, and how; none where its evidence says which."""


@dataclass(slots=True)
class _TextChanges:
    """Changes to one text."""

    spans: list[Span] = field(default_factory=list)
    replacement: str | None = None


def rewrite_texts(rewrites: Iterable[Rewrite], pseudonyms: Pseudonyms | None = None) -> dict[str, str]:
    """Return the new text by pointer. Of several replacements of one text the first one counts.

    ``pseudonyms``: names that were given in this call so far, to which new ones are added; None where nothing that is
    redacted comes back.
    """
    texts: dict[str, str] = {}
    changes: dict[str, _TextChanges] = {}
    for rewrite in rewrites:
        by_pointer = {text.pointer: text.text for text in rewrite.texts}
        texts.update(by_pointer)
        for pointer, start, end, marker in _marked_places(rewrite, by_pointer, pseudonyms):
            change = changes.setdefault(pointer, _TextChanges())
            if rewrite.action is Action.REDACT:
                change.spans.append((start, end, marker))
            elif change.replacement is None:
                change.replacement = rewrite.replacement
    return {
        pointer: replace_spans(texts[pointer], change.spans, lambda _start, _end, marker: marker)
        if change.replacement is None
        else change.replacement
        for pointer, change in changes.items()
    }


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
    return f"{_MARKER}{reason}]"


_MARKER = "[redacted:"


def _is_marker(text: str) -> bool:
    """Return whether a text shows nothing of what it takes the place of."""
    return text.startswith(_MARKER)


def _marked_places(
    rewrite: Rewrite, texts: Mapping[str, str], pseudonyms: Pseudonyms | None
) -> Iterator[tuple[str, int, int, str]]:
    """Yield pointer, start and end of each place, and what takes its place."""
    if not rewrite.redactions:
        marker = redaction_marker(rewrite.finding.reason or rewrite.finding.clause)
        yield from ((*place, marker) for place in _places(rewrite.finding, texts))
        return
    for each in rewrite.redactions:
        text = texts.get(each.place.pointer)
        if text is None:
            continue
        start, end = _span_or_all(each.place.start, each.place.end, len(text))
        if each.is_reversible and pseudonyms is not None:
            yield each.place.pointer, start, end, pseudonyms.name(each.label, text[start:end])
        else:
            marker = redaction_marker(each.label) if each.substitute is None else each.substitute
            yield each.place.pointer, start, end, marker


def _places(finding: Finding, texts: Mapping[str, str]) -> list[tuple[str, int, int]]:
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
            both = kept if kept == reason or not _is_marker(reason) else reason
            merged[-1] = (first, max(last, end), both)
        else:
            merged.append((start, end, reason))
    return merged
