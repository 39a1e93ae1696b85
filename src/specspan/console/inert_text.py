"""Stored text as inert HTML: escaped, shortened with its length told, and nothing in it obeyed by a browser."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup, escape

MOST_CHARS = 6_000
"""Characters of one text that a page shows from its start."""
_AROUND_CHARS = 240
"""Characters that a page shows on each side of evidence beyond that."""
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""General categories of characters that show as nothing, or that move or break what is around them."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Part of a text by which a check found something."""

    start: int
    end: int
    label: str
    """Clause, for the reader of the mark."""


@dataclass(frozen=True, slots=True)
class ShownText:
    """Text as a page shows it."""

    html: Markup
    total_chars: int
    left_out_chars: int
    beyond: tuple[Evidence, ...] = ()
    """Evidence that lies beyond the recorded text, as where a stream was cut."""


def one_line(value: Any) -> str:
    """Return any value as text in which each character that does not show is written as its escape."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(map(_escape_unseen, text))


def shown_text(text: str, evidence: Sequence[Evidence] = (), most_chars: int = MOST_CHARS) -> ShownText:
    """Return a text with its evidence marked and each character that does not show named."""
    inside = sorted((each for each in evidence if 0 <= each.start < len(text)), key=lambda each: each.start)
    beyond = tuple(each for each in evidence if each.start >= len(text))
    windows = list(_windows(len(text), inside, most_chars))
    pieces: list[Markup] = []
    at = 0
    for start, end in windows:
        if start > at:
            pieces.append(_gap(start - at))
        pieces.append(_marked(text, start, end, inside))
        at = end
    if at < len(text):
        pieces.append(_gap(len(text) - at))
    shown = sum(end - start for start, end in windows)
    return ShownText(Markup("").join(pieces), len(text), len(text) - shown, beyond)


def _windows(length: int, evidence: Sequence[Evidence], most_chars: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches that are shown: the start, and the surroundings of evidence, in order and apart."""
    start, end = 0, min(length, most_chars)
    for each in evidence:
        low = max(0, each.start - _AROUND_CHARS)
        high = min(length, min(each.end, each.start + most_chars) + _AROUND_CHARS)
        if low <= end:
            end = max(end, high)
        else:
            yield start, end
            start, end = low, high
    yield start, end


def _marked(text: str, start: int, end: int, evidence: Sequence[Evidence]) -> Markup:
    edges = {start, end}
    for each in evidence:
        edges.update(edge for edge in (each.start, each.end) if start < edge < end)
    ordered = sorted(edges)
    pieces = []
    for low, high in pairwise(ordered):
        labels = [each.label for each in evidence if each.start <= low and high <= each.end]
        piece = (
            Markup("").join(map(_visible, text[low:high])) if not text[low:high].isascii() else _ascii(text[low:high])
        )
        if labels:
            words = ", ".join(dict.fromkeys(labels))
            piece = Markup('<mark title="{0}">{1}<span class="unseen"> (evidence for {0})</span></mark>').format(
                one_line(words), piece
            )
        pieces.append(piece)
    return Markup("").join(pieces)


def _ascii(text: str) -> Markup:
    return escape(text) if text.isprintable() else Markup("").join(map(_visible, text))


def _visible(character: str) -> Markup:
    if character in "\n\t" or character.isprintable():
        return escape(character)
    if unicodedata.category(character) not in _UNSEEN:  # a space of another width
        return escape(character)
    name = unicodedata.name(character, "control character")
    return Markup('<span class="control" title="{}">U+{:04X}</span>').format(name, ord(character))


def _gap(chars: int) -> Markup:
    return Markup('<span class="gap">… {:,} more characters …</span>').format(chars)


def _escape_unseen(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) not in _UNSEEN:
        return character
    return " " if character in "\n\t" else character.encode("unicode_escape").decode("ascii")
