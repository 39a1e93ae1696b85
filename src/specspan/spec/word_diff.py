"""Two texts as one: which words stay, which go and which come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

from specspan.spec.alignment import Pair, common

MAX_WORD_LEVEL_CHARS = 200_000
"""Changed paragraphs that stand together and are longer are compared as a whole, not word by word."""

_LEAST_SHARE = 0.3
"""Where less of the text stays, nobody can read it word by word: it is shown as gone and come as a whole."""
_WORD = re.compile(r"[\w'’]+|[^\w\s]")
_PARAGRAPH_END = re.compile(r"(?<=\n\n)(?=[^\n])")
_ISLAND = re.compile(r"\W*(?:\w{1,3}\W*)?")


class Edit(str, Enum):
    """What became of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text with one fate."""

    edit: Edit
    text: str


def word_diff(old: str, new: str) -> tuple[Piece, ...]:
    """The pieces of both texts in reading order.

    Without the removed ones they are ``new``, without the added ones ``old``. Time grows with the length of the texts.
    """
    olds, news = _PARAGRAPH_END.split(old), _PARAGRAPH_END.split(new)
    return tuple(_merged(_pieces(olds, news)))


def _pieces(olds: list[str], news: list[str]) -> Iterator[Piece]:
    """Paragraphs that both texts have, and between them what changed."""
    i = j = 0
    for a, b in [*common(olds, news), (len(olds), len(news))]:
        yield from _changed("".join(olds[i:a]), "".join(news[j:b]))
        if a < len(olds):
            yield Piece(Edit.SAME, olds[a])
        i, j = a + 1, b + 1


def _changed(old: str, new: str) -> Iterable[Piece]:
    """Word by word where that can be read, else the one and then the other."""
    whole = _replaced(old, new)
    if not old or not new or len(old) + len(new) > MAX_WORD_LEVEL_CHARS:
        return whole
    pieces = _joined(list(_merged(_by_words(old, new))))
    kept = sum(len(piece.text.strip()) for piece in pieces if piece.edit is Edit.SAME)
    return pieces if kept >= _LEAST_SHARE * min(len(old), len(new)) else whole


def _by_words(old: str, new: str) -> Iterator[Piece]:
    olds, news = list(_WORD.finditer(old)), list(_WORD.finditer(new))
    pairs: Iterable[Pair] = common([word[0] for word in olds], [word[0] for word in news])
    i = j = 0
    for a, b in pairs:
        yield from _gap(old[i : olds[a].start()], new[j : news[b].start()])
        yield Piece(Edit.SAME, olds[a][0])
        i, j = olds[a].end(), news[b].end()
    yield from _gap(old[i:], new[j:])


def _gap(old: str, new: str) -> Iterator[Piece]:
    """What stands between two words that stay: the space that both begin and end with stays, too."""
    if old == new:
        yield Piece(Edit.SAME, old)
        return
    start = _shared_space(old, new)
    end = _shared_space(old[start:][::-1], new[start:][::-1])
    yield Piece(Edit.SAME, old[:start])
    yield from _replaced(old[start : len(old) - end], new[start : len(new) - end])
    yield Piece(Edit.SAME, old[len(old) - end :])


def _shared_space(old: str, new: str) -> int:
    count = 0
    for one, other in zip(old, new, strict=False):
        if one != other or not one.isspace():
            break
        count += 1
    return count


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Without islands: a little word that stays between two changes is part of one change."""
    joined: list[Piece] = []
    for n, piece in enumerate(pieces):
        inside = 0 < n < len(pieces) - 1
        if piece.edit is Edit.SAME and inside and "\n\n" not in piece.text and _ISLAND.fullmatch(piece.text):
            joined += _replaced(piece.text, piece.text)
        else:
            joined.append(piece)
    return joined


def _replaced(old: str, new: str) -> tuple[Piece, Piece]:
    return Piece(Edit.REMOVED, old), Piece(Edit.ADDED, new)


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """One piece for neighbours with one fate, and in every change first what goes, then what comes."""
    filled = (piece for piece in pieces if piece.text)
    for same, run in groupby(filled, lambda piece: piece.edit is Edit.SAME):
        together = list(run)
        for edit in (Edit.SAME,) if same else (Edit.REMOVED, Edit.ADDED):
            if text := "".join(piece.text for piece in together if piece.edit is edit):
                yield Piece(edit, text)
