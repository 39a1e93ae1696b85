"""``tools``: which tools the model may call, and with what arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall, ToolCall
from specspan.checks.base import Check, CheckConfigError, TextAt
from specspan.checks.patterns import Pattern
from specspan.decision import CheckKind, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.wording import did_you_mean

KIND = "tools"

Number = int | float
Scalar = str | bool | int | float


class LimitConfig(BaseModel):
    """What one argument must be. An argument with a limit must be there, unless it is ``optional``."""

    model_config = ConfigDict(strict=True, extra="forbid")

    max: Number | None = Field(default=None, allow_inf_nan=False)
    min: Number | None = Field(default=None, allow_inf_nan=False)
    one_of: list[Scalar] | None = None
    pattern: str | None = None
    """A pattern that the whole of a text matches."""
    optional: bool = False


class ToolsConfig(BaseModel):
    """What a policy file says under ``tools``. What the call's scope of autonomy leaves out is never allowed."""

    model_config = ConfigDict(strict=True, extra="forbid")

    allow: list[str] | None = None
    """The only tools that may be called; every tool when absent."""
    deny: list[str] = []
    """Tools that may not be called."""
    limits: dict[str, dict[str, LimitConfig]] = {}
    """By tool and argument, what the argument must be."""
    version: str = "1"


SCHEMA = {
    **ToolsConfig.model_json_schema(),
    "description": "which tools may be called, and with what arguments",
    "examples": [
        {"allow": ["search_orders", "issue_refund"], "limits": {"issue_refund": {"amount": {"max": 50}}}},
        {"deny": ["delete_account"]},
    ],
}

Broken = Callable[[Any], str | None]
"""The reason for which a value breaks a limit; None if it keeps to it."""


def build(clause_id: str, configuration: Any) -> Check:
    """A check from what a policy file says under ``tools``."""
    config = ToolsConfig.model_validate(configuration if configuration is not None else {})
    _refuse_contradictions(config)
    return ToolScope(
        CheckRef(KIND, CheckKind.CODE, config.version),
        None if config.allow is None else frozenset(config.allow),
        frozenset(config.deny),
        {tool: _limits(tool, arguments) for tool, arguments in config.limits.items()},
    )


@dataclass(frozen=True, slots=True)
class Limit:
    """What one argument of one tool must be."""

    argument: str
    optional: bool
    rules: tuple[Broken, ...]

    def broken(self, arguments: Mapping[Any, Any]) -> str | None:
        """The reason for which ``arguments`` break it; None if they keep to it."""
        if self.argument not in arguments:
            return None if self.optional else "argument_missing"
        value = arguments[self.argument]
        return next((reason for rule in self.rules if (reason := rule(value)) is not None), None)


@dataclass(frozen=True, slots=True)
class ToolScope:
    """Violated by the first tool call that is out of scope or over a limit; every such call is evidence."""

    ref: CheckRef
    allowed: frozenset[str] | None
    denied: frozenset[str]
    limits: Mapping[str, tuple[Limit, ...]]

    @property
    def stage(self) -> Stage:
        """Before a tool runs."""
        return Stage.TOOL_CALL

    @property
    def prefilter(self) -> tuple[str, ...]:
        """None: names and values are looked at, not texts."""
        return ()

    @property
    def timeout_s(self) -> float | None:
        """None: it waits for nothing."""
        return None

    def reads(self, text: TextAt) -> bool:
        """Every tool call."""
        return True

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding | bool | None:
        """Look at every tool call of the answer."""
        if not call.tool_calls:
            return None
        scope = call.context.scope.allowed_tools if call.context.scope is not None else None
        found = [(pointer, reason) for pointer, tool in _calls(call) if (reason := self._broken(tool, scope))]
        if not found:
            return True
        length = {text.pointer: len(text.text) for text in texts}
        evidence = tuple(Evidence(pointer, 0, length.get(pointer, 0)) for pointer, _ in found)
        return Finding(Outcome.VIOLATED, found[0][1], evidence=evidence)

    def _broken(self, tool: ToolCall, scope: Sequence[str] | None) -> str | None:
        if tool.name in self.denied or (self.allowed is not None and tool.name not in self.allowed):
            return "tool_not_allowed"
        if scope is not None and tool.name not in scope:
            return "tool_out_of_scope"
        limits = self.limits.get(tool.name, ())
        if limits and not isinstance(tool.arguments, Mapping):
            return "arguments_not_an_object"
        return next((reason for limit in limits if (reason := limit.broken(tool.arguments)) is not None), None)


def _calls(call: ModelCall) -> Iterator[tuple[str, ToolCall]]:
    for i, message in enumerate(call.output):
        for j, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                yield f"/output/{i}/parts/{j}", part


def _refuse_contradictions(config: ToolsConfig) -> None:
    allowed = config.allow if config.allow is not None else list(config.limits)
    if both := sorted(set(config.allow or ()) & set(config.deny)):
        raise CheckConfigError(f"{both[0]!r} is both allowed and denied", "Name it under one of the two.", "deny")
    for tool in config.limits:
        if tool not in allowed or tool in config.deny:
            remedy = did_you_mean(tool, allowed, "Allow it, or leave out its limits.")
            raise CheckConfigError(f"{tool!r} has limits and may not be called", remedy, f"limits.{tool}")


def _limits(tool: str, arguments: Mapping[str, LimitConfig]) -> tuple[Limit, ...]:
    return tuple(
        Limit(name, config.optional, tuple(_rules(config, f"limits.{tool}.{name}")))
        for name, config in arguments.items()
    )


def _rules(config: LimitConfig, key: str) -> Iterator[Broken]:
    if config.max is None and config.min is None and config.one_of is None and config.pattern is None:
        raise CheckConfigError("a limit without anything in it", "Give max, min, one_of or pattern.", key)
    if config.max is not None or config.min is not None:
        yield _range(config.min, config.max, key)
    if config.one_of is not None:
        yield _one_of(config.one_of)
    if config.pattern is not None:
        yield _matching(config.pattern, key)


def _range(least: Number | None, most: Number | None, key: str) -> Broken:
    low, high = -math.inf if least is None else least, math.inf if most is None else most
    if low > high:
        raise CheckConfigError(f"min {low} is over max {high}", "Exchange them.", key)

    def broken(value: Any) -> str | None:
        if not _is_number(value):
            return "argument_wrong_type"
        return "argument_over_limit" if value > high else "argument_under_limit" if value < low else None

    return broken


def _one_of(values: Sequence[Scalar]) -> Broken:
    allowed = {_exact(value) for value in values}

    def broken(value: Any) -> str | None:
        if not isinstance(value, (str, bool, int, float)):
            return "argument_wrong_type"
        return None if _exact(value) in allowed else "argument_not_listed"

    return broken


def _matching(source: str, key: str) -> Broken:
    try:
        pattern = Pattern(source, whole=True)
    except CheckConfigError as error:
        raise CheckConfigError(error.message, error.remedy, f"{key}.pattern") from None

    def broken(value: Any) -> str | None:
        if not isinstance(value, str):
            return "argument_wrong_type"
        return None if pattern.matches(value) else "argument_does_not_match"

    return broken


def _is_number(value: Any) -> bool:
    """Whether it is a number that can be compared: to Python True is 1, and NaN is over no limit."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) != math.inf


def _exact(value: Scalar) -> tuple[type, Scalar]:
    """A value that is equal only to what JSON would call the same: 1 is 1.0, and true is not 1."""
    return (type(value) if isinstance(value, (str, bool)) else float, value)
