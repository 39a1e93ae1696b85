"""Detector of telephone numbers, by the numbering plans of `phonenumbers`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from specspan.checks.check import TextAt
from specspan.checks.detectors.checked_numbers import ascii_digits
from specspan.checks.detectors.detector import ALL, Match
from specspan.checks.detectors.requirements import require
from specspan.checks.patterns import Pattern

LABEL = "phone"
MAX_PARSED = 5000
"""Most numbers of one text that are looked up in numbering plans, which takes 40 µs each; further ones count as they
look."""

_INTERNATIONAL = r"(?:\+|\b00)[1-9]\d{0,2}(?:[ .()/-]{0,3}\d){5,14}\b"
_NATIONAL = r"\(?\b\d{2,5}\)?(?:[ ./-]{1,2}\d{2,8}){1,4}\b|\b0\d{8,11}\b"


@dataclass(frozen=True, slots=True)
class PhoneDetector:
    """Detector of numbers written internationally, and as in some countries."""

    countries: Sequence[str]
    """Countries whose way to write a number is understood without the country's code."""
    prefilter: tuple[str, ...] = field(init=False)
    _patterns: Sequence[Pattern] = field(init=False, repr=False)
    _library: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Import the library.

        Raises:
            CheckConfigError: ``phonenumbers`` is not installed.
        """
        sources = (_INTERNATIONAL, _NATIONAL) if self.countries else (_INTERNATIONAL,)
        object.__setattr__(self, "prefilter", sources)
        object.__setattr__(self, "_patterns", tuple(map(Pattern, sources)))
        object.__setattr__(self, "_library", require("phonenumbers", "phonenumbers", "`pii`"))

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield the numbers that a numbering plan has."""
        parsed = 0
        for pattern, regions in zip(self._patterns, ((None,), self.countries), strict=False):
            for start, end in pattern.find(text, ALL):
                if start and text.text[start - 1].isdigit():
                    continue
                number = ascii_digits(text.text[start:end])
                parsed += 1
                if parsed > MAX_PARSED or any(self._is_valid(number, region) for region in regions):
                    yield Match(start, end, LABEL)

    def _is_valid(self, number: str, region: str | None) -> bool:
        if region is None and number.startswith("00"):
            number = f"+{number[2:]}"
        try:
            return bool(self._library.is_valid_number(self._library.parse(number, region)))
        except self._library.NumberParseException:
            return False
