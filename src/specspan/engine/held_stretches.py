"""Stretches of a held text that are replaced: how long each is, and what takes its place."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from specspan.checks.patterns import Pattern
from specspan.engine.growing_texts import GrowingText

_ALL = 1 << 30


class Stretch(NamedTuple):
    """Stretch of a text that is replaced."""

    start: int
    end: int
    text: str
    """Text that takes its place."""
    owner: Hashable
    """Who found it: what the same one finds of it later, as it grew, takes the place of what it found before."""

    def joined_with(self, later: Stretch) -> Stretch:
        """Return the stretch over this one and a ``later`` one that overlaps it."""
        is_grown = later.owner == self.owner and later.start <= self.start and later.end > self.end
        text = later.text if is_grown else self.text
        return Stretch(min(self.start, later.start), max(self.end, later.end), text, self.owner)


@dataclass(frozen=True, slots=True)
class OpenStretch:
    """Stretch that goes on with what comes next, until what closes it."""

    growing: GrowingText
    """Text in which it stands."""
    stretch: Stretch
    """Its beginning."""
    closing: str
    """Pattern of what closes it."""
    known: int
    """Length of the text as far as it was looked at."""

    def grown(self) -> tuple[Stretch, OpenStretch | None]:
        """Return the stretch as far as it goes now, and itself where that is open still."""
        end, length = self.growing.end, self.growing.length
        skipped = length - len(end)
        ends = (skipped + each for _, each in _closing(self.closing).find(end, _ALL))
        close = next((each for each in ends if each > self.known), None)
        stretch = self.stretch._replace(end=length if close is None else close)
        return stretch, None if close is not None else OpenStretch(self.growing, stretch, self.closing, length)


@lru_cache(16)
def _closing(pattern: str) -> Pattern:
    return Pattern(pattern)
