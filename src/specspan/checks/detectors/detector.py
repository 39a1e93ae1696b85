"""Contract of a detector: it finds places in one text, and says what each is."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from specspan.checks.check import TextAt
from specspan.checks.patterns import Pattern

ALL = sys.maxsize
"""Limit of a search that has none."""


class Match(NamedTuple):
    """Place in a text that a detector found."""

    start: int
    end: int
    label: str
    """Low-cardinality code of what stands there; the reason of a finding."""
    closing: str | None = None
    """Pattern of what ends it, where it reaches to the end of the text because that did not come yet."""


class Detector(Protocol):
    """Finder of one sort of thing in a text, in time linear in the text.

    Every match has, inside it, a match of one of the patterns of `prefilter`.
    """

    @property
    def prefilter(self) -> Sequence[str]:
        """Patterns of `specspan.checks.patterns`, of which one matches wherever `find` finds something."""

    def find(self, text: TextAt, *, is_growing: bool) -> Iterable[Match]:
        """Yield the matches in ``text``.

        Args:
            text: the text.
            is_growing: whether more of the text may come. What more of it could make harmless is then left out.
        """


@dataclass(frozen=True, slots=True)
class PatternDetector:
    """Detector of what some patterns match."""

    label: str
    prefilter: tuple[str, ...]
    patterns: tuple[Pattern, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "patterns", tuple(map(Pattern, self.prefilter)))

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield every match of every pattern."""
        for pattern in self.patterns:
            for start, end in pattern.find(text, ALL):
                yield Match(start, end, self.label)
