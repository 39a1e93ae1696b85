"""Passages of a text that repeat: words in a loop, lines that come again, one character without end."""

from __future__ import annotations

import re
from collections import Counter
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
    spans = [found.span() for found in _WORD.finditer(text)]
    words = [text[start:end] for start, end in spans]
    for period in range(1, min(MAX_PERIOD_WORDS, len(words) // times) + 1):
        needed = max(times * period, min_words) - period
        repeats = bytes(map(eq, words, islice(words, period, None)))
        first = repeats.find(b"\1" * needed)
        if first >= 0:
            last = repeats.find(b"\0", first)
            count = (len(repeats) if last < 0 else last) - first
            return Repeated(spans[first + period][0], spans[first + period + count - 1][1], "loop", count + period)
    return None


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
