"""Entities of personal data that are told by their form: their detectors, and what a redaction keeps of each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias, get_args

from specspan.checks.check import TextAt
from specspan.checks.detectors.addresses import LABEL as ADDRESS
from specspan.checks.detectors.addresses import address_detector
from specspan.checks.detectors.checked_numbers import CheckedNumberDetector
from specspan.checks.detectors.detector import ALL, Detector, Match
from specspan.checks.detectors.national_ids import LABEL as NATIONAL_ID
from specspan.checks.detectors.national_ids import national_id_detectors
from specspan.checks.detectors.phone_numbers import LABEL as PHONE
from specspan.checks.detectors.phone_numbers import PhoneDetector
from specspan.checks.detectors.requirements import require
from specspan.checks.patterns import Pattern

Entity: TypeAlias = Literal["card", "iban", "national_id", "email", "phone", "address"]
ENTITIES: Sequence[Entity] = get_args(Entity)
"""In the order of which names a finding of several."""

CARD = "card"
IBAN = "iban"
EMAIL = "email"
_CARD_SHAPE = r"\b\d{4}(?:[ -]?\d{4}){3}\b|\b\d{4}[ -]?\d{6}[ -]?\d{4,5}\b|\b\d{13,19}\b"
_CARD_NUMBER = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|6\d{15,18}|35\d{14}"
)
"""Lengths and first digits of the issuers: Visa, Mastercard, American Express, Diners Club, Discover, UnionPay, JCB."""
_IBAN_SHAPE = r"\b[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,3})?\b"
_MAILBOX_NEAR = r"[\w.!#$%&'*+/=?^`{|}~-]@[\w-]{1,40}(?:\.[\w-]{1,20}){0,2}\.[^\W\d_]{2,18}"
_MAILBOX = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@(?:[\w-]+\.)+[^\W\d_]{2,24}"


@dataclass(frozen=True, slots=True)
class EmailDetector:
    """Detector of addresses for e-mail."""

    prefilter: tuple[str, ...] = (_MAILBOX_NEAR,)
    _mailbox: Pattern = field(init=False, repr=False, default_factory=lambda: Pattern(_MAILBOX))

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield every address for e-mail."""
        for start, end in self._mailbox.find(text, ALL):
            yield Match(start, end, EMAIL)


def detectors_of(entities: Sequence[Entity], countries: Sequence[str] | None) -> list[Detector]:
    """Return the detectors of some entities.

    Args:
        entities: the entities.
        countries: countries whose numbers and addresses are looked for; None for all, and for no national way to write
            a telephone number.

    Raises:
        CheckConfigError: a library is not installed.
    """
    detectors: list[Detector] = []
    for entity in ENTITIES:
        if entity in entities:
            detectors += _detectors_of_one(entity, countries)
    return detectors


def _detectors_of_one(entity: Entity, countries: Sequence[str] | None) -> Sequence[Detector]:
    if entity == CARD:
        luhn = require("stdnum.luhn", "python-stdnum", "`pii`")
        return (CheckedNumberDetector(CARD, _CARD_SHAPE, partial(_is_card, luhn.is_valid)),)
    if entity == IBAN:
        iban = require("stdnum.iban", "python-stdnum", "`pii`")
        return (CheckedNumberDetector(IBAN, _IBAN_SHAPE, lambda number: bool(iban.is_valid(number))),)
    if entity == NATIONAL_ID:
        return national_id_detectors(countries)
    if entity == PHONE:
        return (PhoneDetector(countries or ()),)
    if entity == ADDRESS:
        return (address_detector(countries),)
    return (EmailDetector(),)


def _is_card(has_check_digit: Callable[[str], object], number: str) -> bool:
    compact = number.replace(" ", "").replace("-", "")
    return _CARD_NUMBER.fullmatch(compact) is not None and bool(has_check_digit(compact))


def keep_form(matched: str, label: str) -> str:
    """Return what may be shown in place of personal data: the last four digits of a number, the domain of a mailbox."""
    if label == EMAIL:
        return f"••••@{matched.rpartition('@')[2]}"
    characters = [each for each in matched if each.isalnum()]
    if label in (CARD, IBAN, PHONE) and len(characters) > 8:
        return f"•••• {''.join(characters[-4:])}"
    return "••••"
