"""``pattern``: what a text must not, or must, contain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall
from specspan.checks.check import ARGUMENTS, INPUT, OUTPUT, TOOL_CALLS, Check, CheckConfigError, TextAt
from specspan.checks.patterns import Pattern
from specspan.decision import CheckKind, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.documents.json_schema import hoisted

KIND = "pattern"

MAX_EVIDENCE = 64
"""How many places one finding points at."""

_SAID = frozenset((OUTPUT,))
_NEEDS = {Stage.INPUT: frozenset((INPUT,)), Stage.TOOL_CALL: frozenset((TOOL_CALLS, ARGUMENTS))}


class PatternConfig(BaseModel):
    """What a policy file says under ``pattern``; a single string is the one pattern of ``any``."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    stage: Stage = Field(default=Stage.OUTPUT, strict=False)
    any: list[str] = []
    """Patterns of which none may hit."""
    require: list[str] = []
    """Patterns that each must hit in every message looked at."""
    reason: str | None = None
    """The low-cardinality code of a violation."""
    ignore_case: bool = False
    roles: list[str] | None = Field(default=None, min_length=1)
    """Roles of the messages to look at; by default ``user`` and ``tool`` on input, every role elsewhere."""
    name: str | None = None
    version: str = "1"


SCHEMA = hoisted(
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
    """A check from what a policy file says under ``pattern``."""
    config = PatternConfig.model_validate({"any": [configuration]} if isinstance(configuration, str) else configuration)
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
    ref = CheckRef(config.name or config.reason or clause_id, CheckKind.PATTERN, config.version)
    shared = (ref, config.stage, _roles(config), config.reason)
    if config.any:
        return Forbidden(*shared, _compiled("any", config.any, config.ignore_case))
    return Required(*shared, _compiled("require", config.require, config.ignore_case))


def _roles(config: PatternConfig) -> frozenset[str] | None:
    if config.roles is not None:
        return frozenset(config.roles)
    return frozenset(("user", "tool")) if config.stage is Stage.INPUT else None


def _compiled(key: str, sources: Sequence[str], ignore_case: bool) -> tuple[Pattern, ...]:
    compiled = []
    for index, source in enumerate(sources):
        try:
            compiled.append(Pattern(source, ignore_case=ignore_case))
        except CheckConfigError as error:
            raise CheckConfigError(error.message, error.remedy, f"{key}.{index}") from None
    return tuple(compiled)


@dataclass(frozen=True, slots=True)
class _PatternCheck:
    ref: CheckRef
    stage: Stage
    roles: frozenset[str] | None
    """None reads every role."""
    reason: str | None
    patterns: tuple[Pattern, ...]

    @property
    def timeout_s(self) -> float | None:
        return None

    @property
    def needs(self) -> frozenset[str]:
        """The texts of its stage alone."""
        return _NEEDS.get(self.stage, _SAID)

    def reads(self, text: TextAt) -> bool:
        return self.roles is None or text.role in self.roles


@dataclass(frozen=True, slots=True)
class Forbidden(_PatternCheck):
    """Violated by a pattern that hits; every place is evidence, as far as it is bounded."""

    @property
    def prefilter(self) -> tuple[str, ...]:
        return tuple(pattern.source for pattern in self.patterns)

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding | bool | None:
        evidence = tuple(
            Evidence(text.pointer, start, end)
            for text in texts
            for pattern in self.patterns
            for start, end in pattern.find(text)
        )
        if not evidence:
            return True
        return Finding(Outcome.VIOLATED, self.reason or "pattern", evidence=evidence[:MAX_EVIDENCE])


@dataclass(frozen=True, slots=True)
class Required(_PatternCheck):
    """Violated by a message in which one of the patterns does not hit."""

    @property
    def prefilter(self) -> tuple[str, ...]:
        return ()

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding | bool | None:
        messages: dict[str, list[TextAt]] = defaultdict(list)
        for text in texts:
            messages[text.pointer.partition("/parts/")[0]].append(text)
        for parts in messages.values():
            if not all(any(map(pattern.matches, parts)) for pattern in self.patterns):
                return Finding(Outcome.VIOLATED, self.reason or "required_text_absent")
        return True
