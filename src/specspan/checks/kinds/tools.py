"""Kind ``tools``: the tools that the model may call, and the arguments it may call them with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from specspan._support.durations import parse_seconds
from specspan._support.messages import did_you_mean
from specspan.call import ModelCall, Side, ToolCall
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.conversations.tool_memory import memory_of
from specspan.checks.conversations.tool_rules import (
    ANY_TOOL,
    NOT_KNOWN,
    CallLimit,
    ConversationSoFar,
    SumLimit,
    ToolRules,
)
from specspan.checks.tool_calls import (
    broken_limit,
    check_tool_calls,
    out_of_scope,
    tool_call_traits,
    whole_text_pattern,
)
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome
from specspan.scope.scope import ArgumentLimit, Limits, Number, Scalar

KIND = "tools"


class LimitConfig(BaseModel):
    """Limit of one argument. An argument with a limit must be there, unless it is ``optional``."""

    model_config = ConfigDict(strict=True, extra="forbid")

    max: Number | None = Field(default=None, allow_inf_nan=False)
    min: Number | None = Field(default=None, allow_inf_nan=False)
    one_of: list[Scalar] | None = None
    pattern: str | None = None
    """A pattern that the whole of a text matches."""
    optional: bool = False


class CallLimitConfig(BaseModel):
    """Most calls of a tool."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    max: int = Field(ge=0)
    per: str = "conversation"
    """``conversation``, or a stretch of time within one, such as ``1m``."""


class SumLimitConfig(BaseModel):
    """Largest sum of an argument."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    max: float = Field(ge=0, allow_inf_nan=False)
    per: str = "conversation"
    """``conversation``, or a stretch of time within one, such as ``60m``."""


class ToolsConfig(BaseModel):
    """Configuration under ``tools``. A tool that the call's scope of autonomy leaves out is never allowed."""

    model_config = ConfigDict(strict=True, extra="forbid")

    allow: list[str] | None = None
    """The only tools that may be called; every tool when absent."""
    deny: list[str] = []
    """Tools that may not be called."""
    limits: dict[str, dict[str, LimitConfig]] = {}
    """By tool and argument, the limit of the argument."""
    after: dict[str, list[str]] = {}
    """By tool, the tools that must have answered before, in the same conversation."""
    approval: dict[str, str] = {}
    """By tool, the fact of the context that must be true."""
    calls: dict[str, Annotated[int, Field(ge=0)] | CallLimitConfig] = {}
    """By tool, the most calls of it; ``*`` stands for all tools together."""
    budgets: dict[str, dict[str, SumLimitConfig]] = {}
    """By tool and argument, the largest sum of the argument."""
    version: str = "1"


SCHEMA = {
    **ToolsConfig.model_json_schema(),
    "description": "which tools may be called, and with what arguments",
    "examples": [
        {"allow": ["search_orders", "issue_refund"], "limits": {"issue_refund": {"amount": {"max": 50}}}},
        {"deny": ["delete_account"]},
        {"after": {"pay": ["confirm"]}, "calls": {"pay": 3}, "budgets": {"pay": {"amount": {"max": 200}}}},
    ],
}


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``tools`` in a policy file."""
    config = ToolsConfig.model_validate(configuration if configuration is not None else {})
    _refuse_contradictions(config)
    rules = _rules(clause_id, config)
    of_arguments = (Side.ARGUMENTS,) if config.limits else ()
    return ToolsCheck(
        CheckRef(KIND, CheckMechanism.CODE, config.version),
        tool_call_traits(Side.TOOL_CALLS, *of_arguments, *(rules.sides if rules is not None else ())),
        None if config.allow is None else frozenset(config.allow),
        frozenset(config.deny),
        {tool: _limits(tool, arguments) for tool, arguments in config.limits.items()},
        rules,
    )


@dataclass(frozen=True, slots=True)
class ToolsCheck:
    """Check that every tool call is allowed by name, argument limits and the scope of autonomy in force."""

    ref: CheckRef
    traits: CheckTraits
    allowed: frozenset[str] | None
    denied: frozenset[str]
    limits: Limits
    rules: ToolRules | None
    """Rules for the whole conversation; None without any."""

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Check every tool call of the answer."""
        if self.rules is None:
            return check_tool_calls(call, texts, lambda tool: self._violation(tool) or out_of_scope(call.context, tool))
        with self.rules.memory.lock.held:
            so_far = ConversationSoFar(self.rules, call)

            def violation(tool: ToolCall) -> str | None:
                return self._violation(tool) or out_of_scope(call.context, tool) or so_far.violation(tool)

            result = check_tool_calls(call, texts, violation)
        is_open = result is True and so_far.is_unknown
        return Finding(Outcome.UNCERTAIN, NOT_KNOWN) if is_open else result

    def _violation(self, tool: ToolCall) -> str | None:
        if tool.name in self.denied or (self.allowed is not None and tool.name not in self.allowed):
            return "tool_not_allowed"
        return broken_limit(self.limits.get(tool.name, {}), tool.arguments)


def _refuse_contradictions(config: ToolsConfig) -> None:
    allowed = config.allow if config.allow is not None else list(config.limits)
    if both := sorted(set(config.allow or ()) & set(config.deny)):
        raise CheckConfigError(f"{both[0]!r} is both allowed and denied", "Name it under one of the two.", "deny")
    for tool in config.limits:
        if tool not in allowed or tool in config.deny:
            remedy = did_you_mean(tool, allowed, "Allow it, or leave out its limits.")
            raise CheckConfigError(f"{tool!r} has limits and may not be called", remedy, f"limits.{tool}")
    for key in ("after", "approval", "calls", "budgets"):
        for tool in getattr(config, key):
            if tool != ANY_TOOL and (tool in config.deny or (config.allow is not None and tool not in config.allow)):
                remedy = did_you_mean(tool, config.allow or (), "Allow it, or leave it out.")
                raise CheckConfigError(f"{tool!r} has a rule and may not be called", remedy, f"{key}.{tool}")


def _rules(clause_id: str, config: ToolsConfig) -> ToolRules | None:
    given = (config.after, config.approval, config.calls, config.budgets)
    if not any(given):
        return None
    limits = {tool: CallLimitConfig(max=each) if isinstance(each, int) else each for tool, each in config.calls.items()}
    return ToolRules(
        {tool: tuple(names) for tool, names in config.after.items()},
        config.approval,
        {tool: CallLimit(each.max, _period(each.per, f"calls.{tool}.per")) for tool, each in limits.items()},
        {tool: _sums(tool, arguments) for tool, arguments in config.budgets.items()},
        memory_of((clause_id, repr(given))),
    )


def _sums(tool: str, arguments: Mapping[str, SumLimitConfig]) -> tuple[SumLimit, ...]:
    return tuple(
        SumLimit(name, each.max, _period(each.per, f"budgets.{tool}.{name}.per")) for name, each in arguments.items()
    )


def _period(text: str, key: str) -> float | None:
    seconds = parse_seconds(text)
    if seconds is None and text != "conversation":
        raise CheckConfigError(f"unknown period {text!r}", "Write 'conversation', or a time such as 1m or 60m.", key)
    return seconds


def _limits(tool: str, arguments: Mapping[str, LimitConfig]) -> Mapping[str, ArgumentLimit]:
    return {name: _limit(config, f"limits.{tool}.{name}") for name, config in arguments.items()}


def _limit(config: LimitConfig, key: str) -> ArgumentLimit:
    if config.max is None and config.min is None and config.one_of is None and config.pattern is None:
        raise CheckConfigError("a limit without anything in it", "Give max, min, one_of or pattern.", key)
    if config.min is not None and config.max is not None and config.min > config.max:
        raise CheckConfigError(f"min {config.min} is over max {config.max}", "Exchange them.", key)
    one_of = None if config.one_of is None else tuple(config.one_of)
    try:
        if config.pattern is not None:
            whole_text_pattern(config.pattern)
        patterns = () if config.pattern is None else (config.pattern,)
        return ArgumentLimit(config.max, config.min, one_of, patterns, config.optional)
    except CheckConfigError as error:
        raise CheckConfigError(error.message, error.remedy, f"{key}.pattern") from None
    except ValueError as error:
        raise CheckConfigError(str(error), "Write a number that JSON can hold.", key) from None
