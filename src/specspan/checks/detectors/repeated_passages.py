"""Passages of a text that repeat: words in a loop, lines that come again, one character without end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from operator import eq
from typing import NamedTuple

_WORD = re.compile(r"\w+|[^\w\s]")
_RUN = re.compile(r"(\S)\1{63,}")
MAX_PERIOD_WORDS = 64
"""Longest passage that is found in a loop, in words."""
_MIN_LINE_CHARS = 12


class Repeated(NamedTuple):
    """Passage that repeats what stands before it."""

    start: int
    end: int
    label: str
    times: int


def repeated_passages(text: str, times: int, min_words: int) -> list[Repeated]:
    """Return the passages of a text that come too often, in time linear in the text.

    Args:
        text: the text.
        times: how often a passage has to come.
        min_words: words that a loop has to have in all.
    """
    runs = [Repeated(found.start(), found.end(), "run", found.end() - found.start()) for found in _RUN.finditer(text)]
    loop = _loop(text, times, min_words)
    lines = _lines(text, times)
    return [*runs, *([loop] if loop else []), *lines]


def _loop(text: str, times: int, min_words: int) -> Repeated | None:
    """Return the first stretch of words in which every word is the one a fixed number of words before it."""
    words = _WORD.findall(text)
    for period in _periods(words):
        needed = max(times * period, min_words) - period
        repeats = bytes(map(eq, words, islice(words, period, None)))
        first = repeats.find(b"\1" * needed)
        if first >= 0:
            last = repeats.find(b"\0", first)
            count = (len(repeats) if last < 0 else last) - first
            spans = [found.span() for found in islice(_WORD.finditer(text), first + period + count)]
            return Repeated(spans[first + period][0], spans[-1][1], "loop", count + period)
    return None


def _periods(words: Sequence[str]) -> list[int]:
    """Return the distances at which three words come again, and again: a loop has its length among them."""
    latest: dict[tuple[str, str, str], int] = {}
    distances = Counter[int]()
    for at, three in enumerate(zip(words, islice(words, 1, None), islice(words, 2, None), strict=False)):
        before = latest.get(three)
        if before is not None and at - before <= MAX_PERIOD_WORDS:
            distances[at - before] += 1
        latest[three] = at
    return sorted(distance for distance, count in distances.items() if count >= _LEAST_REPEATS)


_LEAST_REPEATS = 2


def _lines(text: str, times: int) -> list[Repeated]:
    """Return the lines that come again too often, each but its first."""
    places: list[tuple[int, str]] = []
    at = 0
    for line in text.split("\n"):
        if len(line.strip()) >= _MIN_LINE_CHARS:
            places.append((at, line))
        at += len(line) + 1
    counts, seen = Counter(line for _, line in places), set[str]()
    found: list[Repeated] = []
    for start, line in places:
        if counts[line] >= times and line in seen:
            found.append(Repeated(start, start + len(line), "line", counts[line]))
        seen.add(line)
    return found
