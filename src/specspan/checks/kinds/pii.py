"""Kind ``pii``: personal data that are told by their form, or by Presidio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field

from specspan.checks.check import Check, CheckConfigError
from specspan.checks.detectors.addresses import ADDRESSES
from specspan.checks.detectors.detector import Match
from specspan.checks.detectors.detector_check import DetectorCheck, DetectorConfig, Style, detector_traits, use_marker
from specspan.checks.detectors.national_ids import id_countries
from specspan.checks.detectors.personal_data import EMAIL, ENTITIES, Entity, detectors_of, keep_form
from specspan.checks.detectors.presidio_check import PresidioConfig, presidio_check
from specspan.decision import CheckMechanism, CheckRef, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "pii"


class PiiConfig(DetectorConfig):
    """Configuration under ``pii`` in a policy file."""

    entities: list[Entity] = Field(default=[*ENTITIES], min_length=1)
    """What is looked for; without Presidio, names of people are not."""
    countries: list[str] | None = Field(default=None, min_length=1)
    """Countries, as in ``DE``, whose ids and addresses are looked for, and whose telephone numbers are known without
    the country's code; by default all ids and addresses, and international telephone numbers."""
    allow: list[str] = Field(default=[])
    """Data that may stand there: as written, or ``@example.com`` for all mailboxes of a domain."""
    redaction: Literal["marker", "form", "reversible"] = "marker"
    """What stands in place of redacted data: ``[redacted:card]``, ``•••• 4242``, or on input ``<CARD_1>``, in place of
    which the answer has the data back."""
    presidio: PresidioConfig | None = None
    """Have Presidio look, in place of the rules here."""


SCHEMA = hoist_definitions(
    {
        **PiiConfig.model_json_schema(),
        "description": "personal data: e-mail, phone, cards, IBAN, national ids, addresses",
        "examples": [
            {"entities": ["card", "iban"], "redaction": "form"},
            {"countries": ["DE", "AT"], "allow": ["@example.com"]},
            {"stage": "input", "redaction": "reversible"},
        ],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``pii`` in a policy file."""
    config = PiiConfig.model_validate(configuration if configuration is not None else {})
    _refuse_contradictions(config)
    ref = CheckRef(config.name or KIND, CheckMechanism.PATTERN, config.version)
    allowed, style = Allowed.of(config.allow), _style(config)
    if config.presidio is not None:
        return presidio_check(config, config.presidio, ref, allowed, style)
    detectors = tuple(detectors_of(config.entities, config.countries))
    return DetectorCheck(ref, detector_traits(config, detectors), detectors, allowed, style)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Data that may stand in a text."""

    values: frozenset[str]
    domains: Sequence[str]

    @classmethod
    def of(cls, entries: Sequence[str]) -> Allowed:
        """Read the entries of a list, of which ``@domain`` stands for all its mailboxes."""
        domains = tuple(each.casefold() for each in entries if each.startswith("@"))
        return cls(frozenset(map(_canonical, (each for each in entries if not each.startswith("@")))), domains)

    def __call__(self, matched: str, label: str, /, *, may_grow: bool) -> bool:
        """Return whether some data are allowed, or may still become so."""
        value = _canonical(matched)
        if value in self.values or (may_grow and any(each.startswith(value) for each in self.values)):
            return True
        if label != EMAIL or not self.domains:
            return False
        domain = value[value.rfind("@") :]
        return domain in self.domains or (may_grow and any(each.startswith(domain) for each in self.domains))


def _canonical(value: str) -> str:
    """Return data as they compare: mailboxes without regard to case, all else without what stands between."""
    return value.casefold() if "@" in value else "".join(each for each in value.casefold() if each.isalnum())


def _style(config: PiiConfig) -> Style:
    if config.redaction == "form":
        return _in_form
    return _reversibly if config.redaction == "reversible" else use_marker


def _in_form(text: str, match: Match, /) -> tuple[str | None, bool]:
    return keep_form(text[match.start : match.end], match.label), False


def _reversibly(text: str, match: Match, /) -> tuple[str | None, bool]:
    return None, True


def _refuse_contradictions(config: PiiConfig) -> None:
    if config.redaction == "reversible" and config.stage is not Stage.INPUT:
        raise CheckConfigError(
            f"`redaction: reversible` at the stage {config.stage.value!r}: only what the model reads can come back",
            "Use the stage `input`.",
            "redaction",
        )
    known = id_countries() | ADDRESSES.keys()
    for index, country in enumerate(config.countries or ()):
        if country not in known:
            raise CheckConfigError(
                f"unknown country {country!r}", f"Known are {', '.join(sorted(known))}.", f"countries.{index}"
            )
