"""Detector of numbers with a shape, whose check digits tell them from any other number."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from specspan.checks.check import TextAt
from specspan.checks.detectors.detector import ALL, Match
from specspan.checks.patterns import Pattern

_JOINTS = frozenset(" -./\u00a0\u2011")
"""Characters between digits beyond which a number may go on."""


def ascii_digits(text: str) -> str:
    """Return a text with the decimal digits of every script as those of ASCII."""
    if text.isascii():
        return text
    return "".join(each if (value := unicodedata.decimal(each, None)) is None else str(value) for each in text)


@dataclass(frozen=True, slots=True)
class CheckedNumberDetector:
    """Detector of what a shape matches, is no part of a longer number, and is valid."""

    label: str
    shape: str
    """Pattern of the number, as it is written."""
    is_valid: Callable[[str], bool]
    """Whether what the shape matched is such a number, by its check digits."""
    words: str = ""
    """Pattern of words of which one must stand before the number, where its check digits alone say too little."""
    _number: Pattern = field(init=False, repr=False)
    _located: Pattern = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_number", Pattern(self.shape))
        object.__setattr__(self, "_located", Pattern(*self.prefilter))

    @property
    def prefilter(self) -> tuple[str, ...]:
        """The shape, behind one of the words where there are some."""
        return (rf"(?i:\b(?:{self.words})[^\d\n]{{0,24}}?){self.shape}" if self.words else self.shape,)

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield the valid numbers."""
        for first, end in self._located.find(text, ALL):
            start = first + self._offset(text.text[first:end]) if self.words else first
            if not _is_part_of_longer(text.text, start, end) and self.is_valid(ascii_digits(text.text[start:end])):
                yield Match(start, end, self.label)

    def _offset(self, located: str) -> int:
        """Return where the number begins in what was located, which ends with it."""
        found = self._number.find(located, ALL)
        return found[-1][0] if found else 0


def _is_part_of_longer(text: str, start: int, end: int) -> bool:
    """Return whether digits go on before or behind some digits, right there or beyond one joint."""
    return (text[start].isdigit() and _has_digit(text[max(0, start - 2) : start][::-1])) or (
        text[end - 1].isdigit() and _has_digit(text[end : end + 2])
    )


def _has_digit(nearby: str) -> bool:
    """Return whether a digit stands first, or behind a joint that is no end of a sentence."""
    if not nearby:
        return False
    return nearby[0].isdigit() or (nearby[0] in _JOINTS and nearby[1:].isdigit())
