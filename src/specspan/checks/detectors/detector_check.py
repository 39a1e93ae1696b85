"""Check that nothing stands in a text that one of its detectors finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall, Side
from specspan.checks.check import CheckConfigError, CheckResult, CheckTraits, PartialFindings, Redaction, TextAt
from specspan.checks.detectors.detector import Detector, Match
from specspan.checks.normalisation import look_alikes
from specspan.checks.readings import are_joined, readings
from specspan.checks.texts import shortest_first
from specspan.checks.work import WorkLimitReached
from specspan.decision import CheckRef, Evidence, Finding, Outcome, Stage

MAX_EVIDENCE = 64
"""Most places that one finding points at; a redaction takes all."""

NEEDED_SIDES: Mapping[Stage, frozenset[Side]] = {
    Stage.INPUT: frozenset((Side.INPUT,)),
    Stage.OUTPUT: frozenset((Side.OUTPUT,)),
    Stage.STREAM: frozenset((Side.OUTPUT,)),
    Stage.TOOL_CALL: frozenset((Side.TOOL_CALLS, Side.ARGUMENTS)),
}


class TextConfig(BaseModel):
    """Options that every kind has which reads texts."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    stage: Stage = Field(default=Stage.OUTPUT, strict=False)
    roles: list[str] | None = Field(default=None, min_length=1)
    """Roles of the messages to read; by default ``user`` and ``tool`` on input, every role elsewhere."""
    name: str | None = None
    """Name of the check in records; by default its kind."""
    version: str = "1"

    def read_roles(self) -> frozenset[str] | None:
        """Return the roles that are read; None for every role."""
        if self.roles is not None:
            return frozenset(self.roles)
        return frozenset(("user", "tool")) if self.stage is Stage.INPUT else None


class DetectorConfig(TextConfig):
    """Options that every kind of detector has."""

    normalise: bool = False
    """Read the texts also without invisible characters and marks, in NFKC, and with look-alikes as ASCII."""


class Style(Protocol):
    """Way to write what takes the place of a match in a redaction."""

    def __call__(self, text: str, match: Match, /) -> tuple[str | None, bool]:
        """Return the substitute of a match, None for the usual marker; and whether the redaction is reversible."""


class Exemption(Protocol):
    """Judgement of matches that are no violation after all."""

    def __call__(self, matched: str, label: str, /, *, may_grow: bool) -> bool:
        """Return whether a match is exempt; ``may_grow``: more characters of it may come."""


def exempt_nothing(matched: str, label: str, /, *, may_grow: bool) -> bool:
    """Return False: every match counts."""
    return False


def use_marker(text: str, match: Match, /) -> tuple[str | None, bool]:
    """Write the usual marker."""
    return None, False


@dataclass(frozen=True, slots=True)
class DetectorCheck:
    """Check that is violated by every match of its detectors that is not exempt."""

    ref: CheckRef
    traits: CheckTraits
    detectors: tuple[Detector, ...]
    is_exempt: Exemption = exempt_nothing
    style: Style = use_marker

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Look for everything in every text and its further readings."""
        labels, evidence = Counter[str](), dict[Evidence, None]()
        try:
            for text, match in self._matches(texts, is_growing=self._is_growing(call)):
                labels[match.label] += 1
                evidence.update(dict.fromkeys(text.evidence(match.start, match.end)))
                if len(evidence) >= MAX_EVIDENCE:
                    break
        except WorkLimitReached:
            if not evidence:  # what was found in a part stands
                raise
        if not evidence:
            return True
        explanation = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
        return Finding(
            Outcome.VIOLATED, next(iter(labels)), explanation=explanation, evidence=tuple(evidence)[:MAX_EVIDENCE]
        )

    def redactions(self, call: ModelCall, texts: Sequence[TextAt]) -> Iterable[Redaction]:
        """Yield every place to redact, and what takes its place."""
        for text, match in self._matches(texts, is_growing=self._is_growing(call)):
            substitute, is_reversible = self.style(text.text, match)
            for place in text.evidence(match.start, match.end):
                yield Redaction(place, match.label, substitute, is_reversible, match.closing)

    def _is_growing(self, call: ModelCall) -> bool:
        """Return whether more of the texts may come."""
        return call.response is None and self.traits.stage is not Stage.INPUT

    def _matches(self, texts: Sequence[TextAt], *, is_growing: bool) -> Iterator[tuple[TextAt, Match]]:
        traits = self.traits
        further = readings(texts, is_joined=are_joined(traits.stage), is_normalised=traits.reads_normalised)
        for text in chain(shortest_first(texts), further):
            for detector in self.detectors:
                for match in detector.find(text, is_growing=is_growing):
                    may_grow = is_growing and match.end == len(text.text)
                    if not self.is_exempt(text.text[match.start : match.end], match.label, may_grow=may_grow):
                        yield text, match


def detector_traits(config: DetectorConfig, detectors: Sequence[Detector]) -> CheckTraits:
    """Return the traits of a check with some detectors.

    Raises:
        CheckConfigError: ``normalise`` is asked for and its package is missing.
    """
    if config.normalise:
        require_look_alikes()
    return CheckTraits(
        config.stage,
        prefilter=tuple(dict.fromkeys(source for each in detectors for source in each.prefilter)),
        reads_roles=config.read_roles(),
        reads_normalised=config.normalise,
        needs=NEEDED_SIDES[config.stage],
        finds_in_part=PartialFindings.MATCHES,
        accepts_timeout=False,
    )


def require_look_alikes() -> None:
    """Raise `CheckConfigError` where the characters that look alike are not installed."""
    try:
        look_alikes()
    except ImportError:
        raise CheckConfigError(
            "`normalise` needs the package 'confusable-homoglyphs'",
            "Run: pip install 'specspan[normalise]'",
            "normalise",
        ) from None
