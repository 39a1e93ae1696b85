"""What two sequences have in common, in order, in time that grows with their length and not with its square.

Patience diff (Bram Cohen): items that stand once on both sides are anchors, the longest run of anchors in one order is
kept, and what lies between two anchors is looked at in the same way. Small rests are compared exactly.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MAX_CELLS = 4096
"""A rest whose lengths multiply to no more is compared exactly; a larger one without anchors has nothing in common."""
MAX_DEPTH = 16
"""How often a rest is divided."""

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Rest:
    """Part of both sequences, not yet compared."""

    start: int
    end: int
    new_start: int
    new_end: int
    depth: int


def common(old: Sequence[str], new: Sequence[str]) -> list[Pair]:
    """Indexes of equal items in ``old`` and ``new``, both growing from pair to pair."""
    pairs: list[Pair] = []
    todo = [_Rest(0, len(old), 0, len(new), 0)]
    while todo:
        rest = _trimmed(old, new, todo.pop(), pairs)
        if rest.start == rest.end or rest.new_start == rest.new_end:
            continue
        if (rest.end - rest.start) * (rest.new_end - rest.new_start) <= MAX_CELLS:
            pairs += _exact(old, new, rest)
        elif rest.depth < MAX_DEPTH:
            todo += _between(_anchors(old, new, rest), rest)
    return sorted(pairs)


def _trimmed(old: Sequence[str], new: Sequence[str], rest: _Rest, pairs: list[Pair]) -> _Rest:
    """What is left between a common beginning and a common end, which go to ``pairs``."""
    a, b, c, d = rest.start, rest.end, rest.new_start, rest.new_end
    while a < b and c < d and old[a] == new[c]:
        pairs.append((a, c))
        a, c = a + 1, c + 1
    while a < b and c < d and old[b - 1] == new[d - 1]:
        b, d = b - 1, d - 1
        pairs.append((b, d))
    return _Rest(a, b, c, d, rest.depth)


def _anchors(old: Sequence[str], new: Sequence[str], rest: _Rest) -> list[Pair]:
    """The longest run, in one order, of items that stand once in either part."""
    counts = Counter(old[rest.start : rest.end])
    new_counts = Counter(new[rest.new_start : rest.new_end])
    place = {new[j]: j for j in range(rest.new_start, rest.new_end)}
    unique = (i for i in range(rest.start, rest.end) if counts[old[i]] == 1 and new_counts[old[i]] == 1)
    return _longest_growing([(i, place[old[i]]) for i in unique])


def _longest_growing(pairs: Sequence[Pair]) -> list[Pair]:
    """The longest selection in which the second index grows, too; the first grows already."""
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


def _between(anchors: Sequence[Pair], rest: _Rest) -> Iterator[_Rest]:
    """The parts that anchors divide a rest into; each begins with its anchor, but for the first."""
    if not anchors:
        return
    starts = [(rest.start, rest.new_start), *anchors]
    for (a, c), (b, d) in zip(starts, [*anchors, (rest.end, rest.new_end)], strict=True):
        yield _Rest(a, b, c, d, rest.depth + 1)


def _exact(old: Sequence[str], new: Sequence[str], rest: _Rest) -> Iterator[Pair]:
    """A longest common subsequence of a small rest."""
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
