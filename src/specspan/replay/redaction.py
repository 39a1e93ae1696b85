"""Redaction of recorded calls for datasets: personal data give way to others that checks take for the same. Pure.

A case has to be decided as the call was, so nothing is cut out: a card becomes a card that no bank gives out, an
address for e-mail one of example.com, any other long number one of the same shape. Nothing leads from the new text back
to the old one.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specspan.checks.check import CheckConfigError, TextAt
from specspan.checks.detectors.detector import Detector, Match
from specspan.checks.detectors.personal_data import CARD, EMAIL, ENTITIES, IBAN, EmailDetector, detectors_of
from specspan.checks.detectors.phone_numbers import LABEL as PHONE

NUMBER = "number"
"""Label of four digits and more that no detector knows."""
OWN = "pattern"
"""Label of what a pattern of the user's matches, which becomes ``[redacted]``."""
_NUMBER = re.compile(r"\d(?:[ .-]?\d){3,}")
_INVENTED = {CARD: "4111 1111 1111 1111", IBAN: "DE89 3704 0044 0532 0130 00", PHONE: "+1 202 555 0143"}
"""Data that nobody has: a card for tests, the IBAN of the standard's examples, a number kept for fiction."""


def personal_data_detectors() -> Sequence[Detector]:
    """Return the detectors of personal data that are installed; addresses for e-mail need no library."""
    try:
        return detectors_of(ENTITIES, None)
    except CheckConfigError:  # the extra `checks` is not installed
        return (EmailDetector(),)


@dataclass(slots=True)
class Redactor:
    """Redactor of the texts of one case. Equal data become equal ones within the case."""

    salt: str
    """Text that makes the data of one case others than those of the next."""
    detectors: Sequence[Detector] = ()
    patterns: Sequence[re.Pattern[str]] = ()
    """Further patterns, whose matches become ``[redacted]``."""
    counts: Counter[str] = field(default_factory=Counter)
    """Number of replacements by label."""

    def redact(self, value: Any) -> Any:
        """Return a JSON value with every text in it redacted; keys stay."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {key: self.redact(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.redact(each) for each in value]
        return value

    def _text(self, text: str) -> str:
        pieces, position = list[str](), 0
        for match in sorted(self._matches(text), key=lambda each: (each.start, -each.end)):
            if match.start >= position:
                pieces += (text[position : match.start], self._invented(text[match.start : match.end], match.label))
                position = match.end
                self.counts[match.label] += 1
        return "".join((*pieces, text[position:]))

    def _matches(self, text: str) -> Iterator[Match]:
        for pattern in self.patterns:
            yield from (Match(each.start(), each.end(), OWN) for each in pattern.finditer(text) if each[0])
        for detector in self.detectors:
            yield from detector.find(TextAt("", "", text), is_growing=False)
        yield from (Match(each.start(), each.end(), NUMBER) for each in _NUMBER.finditer(text))

    def _invented(self, text: str, label: str) -> str:
        if label == OWN:
            return "[redacted]"
        if label == EMAIL:
            return f"person-{self._digest(text).hex()[:6]}@example.com"
        return _INVENTED.get(label) or self._same_shape(text)

    def _same_shape(self, text: str) -> str:
        """Return a text with other digits and, where it has letters, other letters; zeros and marks stay."""
        stream = iter(self._digest(text) * (1 + len(text) // 32))
        return "".join(_other(each, next(stream)) for each in text)

    def _digest(self, text: str) -> bytes:
        return hashlib.sha256(f"{self.salt}\0{text}".encode("utf-8", "replace")).digest()


def _other(character: str, number: int) -> str:
    """Return a character of the same kind; a zero stays, as numbers are told apart by it."""
    if character in "123456789":
        return str(1 + number % 9)
    if character.isascii() and character.isalpha():
        letter = chr(ord("a") + number % 26)
        return letter.upper() if character.isupper() else letter
    return character
