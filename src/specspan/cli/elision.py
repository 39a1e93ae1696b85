"""Long stretches that did not change, cut down to what stands around a change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specspan.spec.word_diff import Edit, Piece


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of a diff as a view meets it."""

    edit: Edit
    text: str
    elided: bool = False
    """Whether it can be left out: nothing in it changed, and enough stands around it."""


def elided(pieces: Sequence[Piece], context_chars: int = 90) -> Iterator[Shown]:
    """The pieces, with ``context_chars`` or so of unchanged text kept on each side of a change."""
    for n, piece in enumerate(pieces):
        if piece.edit is not Edit.SAME:
            yield Shown(piece.edit, piece.text)
            continue
        head = _up_to_space(piece.text, context_chars) if n > 0 else 0
        tail = _up_to_space(piece.text[::-1], context_chars) if n < len(pieces) - 1 else 0
        if len(piece.text) - head - tail <= context_chars:
            yield Shown(Edit.SAME, piece.text)
        else:
            end = len(piece.text) - tail
            yield Shown(Edit.SAME, piece.text[:head])
            yield Shown(Edit.SAME, piece.text[head:end], elided=True)
            yield Shown(Edit.SAME, piece.text[end:])


def _up_to_space(text: str, least: int) -> int:
    """``least`` characters and the rest of the word that they end in, if it is not too long."""
    for at in range(least, min(len(text), 2 * least)):
        if text[at].isspace():
            return at
    return min(len(text), least)
