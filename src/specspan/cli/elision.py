"""Elision of long unchanged stretches in a diff of words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specspan.spec.word_diff import Edit, Piece


@dataclass(frozen=True, slots=True)
class ElidedPiece:
    """Piece of a diff that a view shows or leaves out."""

    edit: Edit
    text: str
    is_elided: bool = False
    """True where a view can leave the text out: it is unchanged, and far enough from any change."""


def elide(pieces: Sequence[Piece], context_chars: int = 90) -> Iterator[ElidedPiece]:
    """Yield the pieces of a diff, with about ``context_chars`` of unchanged text kept on each side of a change."""
    for n, piece in enumerate(pieces):
        if piece.edit is not Edit.SAME:
            yield ElidedPiece(piece.edit, piece.text)
            continue
        head = _length_to_space(piece.text, context_chars) if n > 0 else 0
        tail = _length_to_space(piece.text[::-1], context_chars) if n < len(pieces) - 1 else 0
        if len(piece.text) - head - tail <= context_chars:
            yield ElidedPiece(Edit.SAME, piece.text)
        else:
            end = len(piece.text) - tail
            yield ElidedPiece(Edit.SAME, piece.text[:head])
            yield ElidedPiece(Edit.SAME, piece.text[head:end], is_elided=True)
            yield ElidedPiece(Edit.SAME, piece.text[end:])


def _length_to_space(text: str, least: int) -> int:
    """Return the length of ``least`` characters and the rest of the word they end in, where that is not too long."""
    for at in range(least, min(len(text), 2 * least)):
        if text[at].isspace():
            return at
    return min(len(text), least)
