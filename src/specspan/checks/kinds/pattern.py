"""Kind ``pattern``: patterns that a text must not, or must, contain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, PartialFindings, TextAt
from specspan.checks.detectors.detector_check import NEEDED_SIDES, require_look_alikes
from specspan.checks.patterns import Pattern
from specspan.checks.readings import are_joined, readings
from specspan.checks.texts import shortest_first
from specspan.checks.work import WorkLimitReached
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "pattern"

MAX_EVIDENCE = 64
"""Most places that one finding points at."""


class PatternConfig(BaseModel):
    """Configuration under ``pattern``; a single string is the one pattern of ``any``."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    stage: Stage = Field(default=Stage.OUTPUT, strict=False)
    any: list[str] = []
    """Patterns of which none may match."""
    require: list[str] = []
    """Patterns that must each match in every message that is read."""
    reason: str | None = None
    """Low-cardinality code of a violation."""
    ignore_case: bool = False
    roles: list[str] | None = Field(default=None, min_length=1)
    """Roles of the messages to read; by default ``user`` and ``tool`` on input, every role elsewhere."""
    normalise: bool = False
    """Read the texts also without invisible characters and marks, in NFKC, and with look-alikes as ASCII."""
    parts: list[Literal["text", "reasoning"]] = Field(default=["text"], min_length=1)
    """Parts of the messages to read: text, which is always read, and a model's reasoning."""
    name: str | None = None
    version: str = "1"


SCHEMA = hoist_definitions(
    {
        "description": "what a text must not, or must, contain",
        "anyOf": [{"type": "string"}, PatternConfig.model_json_schema()],
        "examples": [
            {"stage": "output", "any": [r"\b\d{3}-\d{2}-\d{4}\b"], "reason": "ssn"},
            {"require": ["not (legal|financial) advice"], "ignore_case": True, "reason": "no_disclaimer"},
        ],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``pattern`` in a policy file."""
    config = PatternConfig.model_validate({"any": [configuration]} if isinstance(configuration, str) else configuration)
    _refuse_contradictions(config)
    if config.normalise:
        require_look_alikes()
    ref = CheckRef(config.name or config.reason or clause_id, CheckMechanism.PATTERN, config.version)
    if config.any:
        forbidden = _compile("any", config.any, config.ignore_case)
        sources = tuple(pattern.source for pattern in forbidden)
        return ForbiddenPatterns(ref, _traits(config, sources), forbidden, config.reason or "pattern")
    required = _compile("require", config.require, config.ignore_case)
    return RequiredPatterns(ref, _traits(config), required, config.reason or "required_text_absent")


@dataclass(frozen=True, slots=True)
class ForbiddenPatterns:
    """Check that no pattern matches; every match is evidence, up to `MAX_EVIDENCE`."""

    ref: CheckRef
    traits: CheckTraits
    patterns: tuple[Pattern, ...]
    reason: str
    """Low-cardinality code of a violation."""

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Look for every pattern in every text and its further readings."""
        evidence: list[Evidence] = []
        sources = 0
        try:
            for text in chain(shortest_first(texts), further_readings(texts, self.traits)):
                for pattern in self.patterns:
                    spans = pattern.find(text)
                    if spans:
                        sources += 1
                        evidence += text.places(spans)
        except WorkLimitReached:
            if not evidence:  # what was found in a part stands
                raise
        if not evidence:
            return True
        if sources > 1:  # one pattern finds no place twice in one text
            evidence = list(dict.fromkeys(evidence))
        return Finding(Outcome.VIOLATED, self.reason, evidence=tuple(evidence[:MAX_EVIDENCE]))


@dataclass(frozen=True, slots=True)
class RequiredPatterns:
    """Check that every pattern matches somewhere in each message."""

    ref: CheckRef
    traits: CheckTraits
    patterns: tuple[Pattern, ...]
    reason: str
    """Low-cardinality code of a violation."""

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Look for every pattern in the texts of each message and their further readings."""
        messages: dict[str, list[TextAt]] = defaultdict(list)
        for text in texts:
            messages[text.pointer.partition("/parts/")[0]].append(text)
        for parts in messages.values():
            absent = [pattern for pattern in self.patterns if not any(map(pattern.matches, parts))]
            if absent:
                further = tuple(further_readings(parts, self.traits))
                if not all(any(map(pattern.matches, further)) for pattern in absent):
                    return Finding(Outcome.VIOLATED, self.reason)
        return True


def further_readings(texts: Sequence[TextAt], traits: CheckTraits) -> Iterable[TextAt]:
    """Return the readings of ``texts`` that a check with ``traits`` reads besides the texts as they stand."""
    return readings(texts, is_joined=are_joined(traits.stage), is_normalised=traits.reads_normalised)


def _refuse_contradictions(config: PatternConfig) -> None:
    if bool(config.any) == bool(config.require):
        raise CheckConfigError(
            "a pattern check needs either `any` or `require`",
            "name the patterns under one of the two; write two checks for both",
        )
    if config.require and config.stage is Stage.STREAM:
        raise CheckConfigError(
            "`require` at the stage `stream` is violated as long as the text has not come",
            "use the stage `output`",
            "stage",
        )


def _traits(config: PatternConfig, forbidden: tuple[str, ...] = ()) -> CheckTraits:
    return CheckTraits(
        config.stage,
        prefilter=forbidden,
        reads_roles=_roles(config),
        reads_reasoning="reasoning" in config.parts and config.stage is not Stage.TOOL_CALL,
        reads_normalised=config.normalise,
        needs=NEEDED_SIDES[config.stage],
        finds_in_part=PartialFindings.MATCHES if forbidden else PartialFindings.NONE,
        accepts_timeout=False,
    )


def _roles(config: PatternConfig) -> frozenset[str] | None:
    if config.roles is not None:
        return frozenset(config.roles)
    return frozenset(("user", "tool")) if config.stage is Stage.INPUT else None


def _compile(key: str, sources: Sequence[str], ignore_case: bool) -> tuple[Pattern, ...]:
    patterns = []
    for index, source in enumerate(sources):
        try:
            patterns.append(Pattern(source, ignore_case=ignore_case))
        except CheckConfigError as error:
            raise CheckConfigError(error.message, error.remedy, f"{key}.{index}") from None
    return tuple(patterns)
