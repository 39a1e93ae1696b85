"""Word diff of two texts, in time that grows with their length and not with its square.

Sequences are aligned by patience diff (Bram Cohen): items that stand once on both sides are anchors, the longest run of
anchors in one order is kept, and the spans between anchors are aligned in the same way. Small spans are compared
exactly.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby

MAX_WORD_LEVEL_CHARS = 200_000
"""Length beyond which adjacent changed paragraphs are compared as a whole, not word by word."""
MAX_CELLS = 4096
"""Product of lengths up to which a span is compared exactly; a larger one without anchors has nothing in common."""
MAX_DEPTH = 16
"""Number of times that a span is split."""
_LEAST_SHARE = 0.3
"""Share of the text that must stay for a word by word diff to be readable; below, the whole is replaced."""
_WORD = re.compile(r"[\w'’]+|[^\w\s]")
_PARAGRAPH_END = re.compile(r"(?<=\n\n)(?=[^\n])")
_ISLAND = re.compile(r"\W*(?:\w{1,3}\W*)?")
Pair = tuple[int, int]


class Edit(str, Enum):
    """Fate of a piece of text."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


@dataclass(frozen=True, slots=True)
class Piece:
    """Stretch of text with one fate."""

    edit: Edit
    text: str


def word_diff(old: str, new: str) -> tuple[Piece, ...]:
    """Return the pieces of both texts in reading order.

    Without the removed ones they are ``new``, without the added ones ``old``. Time grows with the length of the texts.
    """
    olds, news = _PARAGRAPH_END.split(old), _PARAGRAPH_END.split(new)
    return tuple(_merge(_split_pieces(olds, news)))


def _split_pieces(olds: list[str], news: list[str]) -> Iterator[Piece]:
    """Yield the paragraphs that both texts have, and the changes between them."""
    i = j = 0
    for a, b in [*common_pairs(olds, news), (len(olds), len(news))]:
        yield from _diff_paragraphs("".join(olds[i:a]), "".join(news[j:b]))
        if a < len(olds):
            yield Piece(Edit.SAME, olds[a])
        i, j = a + 1, b + 1


def _diff_paragraphs(old: str, new: str) -> Iterable[Piece]:
    """Return the changes word by word where that is readable, else the old text and then the new one."""
    whole = _replacement(old, new)
    if not old or not new or len(old) + len(new) > MAX_WORD_LEVEL_CHARS:
        return whole
    pieces = _absorb_islands(list(_merge(_diff_words(old, new))))
    kept = sum(len(piece.text.strip()) for piece in pieces if piece.edit is Edit.SAME)
    return pieces if kept >= _LEAST_SHARE * min(len(old), len(new)) else whole


def _diff_words(old: str, new: str) -> Iterator[Piece]:
    olds, news = list(_WORD.finditer(old)), list(_WORD.finditer(new))
    pairs: Iterable[Pair] = common_pairs([word[0] for word in olds], [word[0] for word in news])
    i = j = 0
    for a, b in pairs:
        yield from _diff_gap(old[i : olds[a].start()], new[j : news[b].start()])
        yield Piece(Edit.SAME, olds[a][0])
        i, j = olds[a].end(), news[b].end()
    yield from _diff_gap(old[i:], new[j:])


def _diff_gap(old: str, new: str) -> Iterator[Piece]:
    """Yield the text between two words that stay; space that both begin or end with stays too."""
    if old == new:
        yield Piece(Edit.SAME, old)
        return
    start = _shared_space(old, new)
    end = _shared_space(old[start:][::-1], new[start:][::-1])
    yield Piece(Edit.SAME, old[:start])
    yield from _replacement(old[start : len(old) - end], new[start : len(new) - end])
    yield Piece(Edit.SAME, old[len(old) - end :])


def _shared_space(old: str, new: str) -> int:
    count = 0
    for one, other in zip(old, new, strict=False):
        if one != other or not one.isspace():
            break
        count += 1
    return count


def _absorb_islands(pieces: list[Piece]) -> list[Piece]:
    """Return the pieces without islands: a little word that stays between two changes becomes part of one change."""
    joined: list[Piece] = []
    for n, piece in enumerate(pieces):
        inside = 0 < n < len(pieces) - 1
        if piece.edit is Edit.SAME and inside and "\n\n" not in piece.text and _ISLAND.fullmatch(piece.text):
            joined += _replacement(piece.text, piece.text)
        else:
            joined.append(piece)
    return joined


def _replacement(old: str, new: str) -> tuple[Piece, Piece]:
    return Piece(Edit.REMOVED, old), Piece(Edit.ADDED, new)


def _merge(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield one piece for neighbours with one fate, and in every change the removed text before the added."""
    filled = (piece for piece in pieces if piece.text)
    for same, run in groupby(filled, lambda piece: piece.edit is Edit.SAME):
        together = list(run)
        for edit in (Edit.SAME,) if same else (Edit.REMOVED, Edit.ADDED):
            if text := "".join(piece.text for piece in together if piece.edit is edit):
                yield Piece(edit, text)


@dataclass(frozen=True, slots=True)
class _Span:
    """Part of both sequences that is not compared yet."""

    start: int
    end: int
    new_start: int
    new_end: int
    depth: int


def common_pairs(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Return the indexes of equal items in ``old`` and ``new``, both growing from pair to pair."""
    pairs: list[Pair] = []
    todo = [_Span(0, len(old), 0, len(new), 0)]
    while todo:
        rest = _trim(old, new, todo.pop(), pairs)
        if rest.start == rest.end or rest.new_start == rest.new_end:
            continue
        if (rest.end - rest.start) * (rest.new_end - rest.new_start) <= MAX_CELLS:
            pairs += _longest_common_subsequence(old, new, rest)
        elif rest.depth < MAX_DEPTH:
            todo += _split_at(_find_anchors(old, new, rest), rest)
    return sorted(pairs)


def _trim(old: Sequence[str], new: Sequence[str], rest: _Span, pairs: list[Pair]) -> _Span:
    """Return the span between a common beginning and a common end, which are added to ``pairs``."""
    a, b, c, d = rest.start, rest.end, rest.new_start, rest.new_end
    while a < b and c < d and old[a] == new[c]:
        pairs.append((a, c))
        a, c = a + 1, c + 1
    while a < b and c < d and old[b - 1] == new[d - 1]:
        b, d = b - 1, d - 1
        pairs.append((b, d))
    return _Span(a, b, c, d, rest.depth)


def _find_anchors(old: Sequence[str], new: Sequence[str], rest: _Span) -> list[Pair]:
    """Return the longest run, in one order, of items that stand once in either part."""
    counts = Counter(old[rest.start : rest.end])
    new_counts = Counter(new[rest.new_start : rest.new_end])
    place = {new[j]: j for j in range(rest.new_start, rest.new_end)}
    unique = (i for i in range(rest.start, rest.end) if counts[old[i]] == 1 and new_counts[old[i]] == 1)
    return _longest_growing([(i, place[old[i]]) for i in unique])


def _longest_growing(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the longest selection in which the second index grows, too; the first grows already."""
    tops: list[int] = []  # smallest last index of a selection of each length
    at: list[int] = []  # which pair that is
    before: list[int] = []
    for n, (_, j) in enumerate(pairs):
        length = bisect_left(tops, j)
        before.append(at[length - 1] if length else -1)
        tops[length : length + 1] = [j]
        at[length : length + 1] = [n]
    chosen: list[Pair] = []
    n = at[-1] if at else -1
    while n >= 0:
        chosen.append(pairs[n])
        n = before[n]
    return chosen[::-1]


def _split_at(anchors: Sequence[Pair], rest: _Span) -> Iterator[_Span]:
    """Yield the spans between anchors; each begins with its anchor, but for the first."""
    if not anchors:
        return
    starts = [(rest.start, rest.new_start), *anchors]
    for (a, c), (b, d) in zip(starts, [*anchors, (rest.end, rest.new_end)], strict=True):
        yield _Span(a, b, c, d, rest.depth + 1)


def _longest_common_subsequence(old: Sequence[str], new: Sequence[str], rest: _Span) -> Iterator[Pair]:
    """Yield the pairs of a longest common subsequence of a small span."""
    rows, columns = rest.end - rest.start, rest.new_end - rest.new_start
    longest = [[0] * (columns + 1) for _ in range(rows + 1)]  # from each place to the end
    for i in reversed(range(rows)):
        item, row, below = old[rest.start + i], longest[i], longest[i + 1]
        for j in reversed(range(columns)):
            row[j] = below[j + 1] + 1 if item == new[rest.new_start + j] else max(below[j], row[j + 1])
    i = j = 0
    while i < rows and j < columns:
        if old[rest.start + i] == new[rest.new_start + j]:
            yield rest.start + i, rest.new_start + j
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
