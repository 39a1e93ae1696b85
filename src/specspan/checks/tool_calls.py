"""Whether tool calls are within the scope of autonomy of the work they belong to, and what checks of them share."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from specspan.call import NOT_TOLD, CallContext, ModelCall, ToolCall
from specspan.checks.check import ARGUMENTS, TOOL_CALLS, CheckConfigError, TextAt
from specspan.checks.patterns import Pattern
from specspan.decision import CheckRef, Evidence, Finding, Outcome, Stage
from specspan.scope.rules import Budget
from specspan.scope.scope import ArgumentLimit, Number, Plain, ScopeOfAutonomy, exact

# MERGED arguments: Whether what a tool is called with keeps to its limits. What cannot be shown to keep to one
# breaks it.


def broken_limit(limits: Mapping[str, ArgumentLimit], arguments: Any) -> str | None:
    """The reason for which ``arguments`` break a limit; None if they keep to all, or nobody told them."""
    if not limits or arguments is NOT_TOLD:
        return None
    if not isinstance(arguments, Mapping):
        return "arguments_not_an_object"
    return next((reason for name, limit in limits.items() if (reason := _broken(limit, name, arguments))), None)


@functools.lru_cache(512)
def whole(source: str) -> Pattern:
    """The pattern that the whole of a text must match.

    Raises:
        CheckConfigError: it cannot run in linear time, or is refused for another reason.
    """
    return Pattern(source, whole=True)


def _broken(limit: ArgumentLimit, name: str, arguments: Mapping[Any, Any]) -> str | None:
    if name not in arguments:
        return None if limit.optional or limit.forbidden else "argument_missing"
    if limit.forbidden:
        return "argument_forbidden"
    value = arguments[name]
    return _outside(limit.min, limit.max, value) or _unlisted(limit.one_of, value) or _unlike(limit.patterns, value)


def _outside(least: Number | None, most: Number | None, value: Any) -> str | None:
    if least is None and most is None:
        return None
    if not _is_number(value):
        return "argument_wrong_type"
    if most is not None and value > most:
        return "argument_over_limit"
    return "argument_under_limit" if least is not None and value < least else None


def _unlisted(listed: tuple[Plain, ...] | None, value: Any) -> str | None:
    if listed is None:
        return None
    if not isinstance(value, (str, bool, int, float)):
        return "argument_wrong_type"
    wanted = exact(value)
    return None if any(exact(each) == wanted for each in listed) else "argument_not_listed"


def _unlike(patterns: tuple[str, ...], value: Any) -> str | None:
    if not patterns:
        return None
    if not isinstance(value, str):
        return "argument_wrong_type"
    return None if all(_matches(pattern, value) for pattern in patterns) else "argument_does_not_match"


def _matches(source: str, value: str) -> bool:
    try:
        return whole(source).matches(value)
    except CheckConfigError:  # it came from elsewhere: what is declared here is refused where it is declared
        return False


def _is_number(value: Any) -> bool:
    """Whether it is a number that can be compared: to Python True is 1, and NaN is over no limit."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) != math.inf


@dataclass(frozen=True, slots=True)
class OfToolCalls:
    """What checks of tool calls have in common: they look at each before it runs, on the caller's thread."""

    ref: CheckRef

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

    @property
    def needs(self) -> frozenset[str]:
        """Which tools are called, and with what."""
        return frozenset((TOOL_CALLS, ARGUMENTS))

    @property
    def finds_in_part(self) -> bool:
        """A tool that may not be called may not, whatever else is not known of it."""
        return True

    def reads(self, text: TextAt) -> bool:
        """Every tool call."""
        return True


def out_of_scope(context: CallContext, tool: ToolCall) -> str | None:
    """The reason for which a tool may not be called within the scope in force; None if it may."""
    standing = context.standing
    if standing is not None and _spent(standing.budgets):
        return "cost_limit_reached"
    return None if context.scope is None else _outside_autonomy(context.scope, tool)


def decided(
    call: ModelCall, texts: Sequence[TextAt], broken: Callable[[ToolCall], str | None]
) -> Finding | bool | None:
    """What is found of an answer's tool calls: the first broken one gives the reason, every such one is evidence."""
    found = []
    seen = untold = False
    for i, message in enumerate(call.output):
        for j, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                seen = True
                untold = untold or _limits_untold(call.context.scope, part)
                if (reason := broken(part)) is not None:
                    found.append((f"/output/{i}/parts/{j}", reason))
    if not found:
        return Finding(Outcome.UNCERTAIN, "arguments_not_told") if untold else True if seen else None
    length = {text.pointer: len(text.text) for text in texts}
    evidence = tuple(Evidence(pointer, 0, length.get(pointer, 0)) for pointer, _ in found)
    return Finding(Outcome.VIOLATED, found[0][1], evidence=evidence)


def _outside_autonomy(scope: ScopeOfAutonomy, tool: ToolCall) -> str | None:
    if scope.allowed_tools is not None and tool.name not in scope.allowed_tools:
        return "tool_out_of_scope"
    if scope.deadline is not None and datetime.now(timezone.utc) >= scope.deadline:
        return "deadline_passed"
    return broken_limit(scope.limits.get(tool.name, {}), tool.arguments)


def _limits_untold(scope: ScopeOfAutonomy | None, tool: ToolCall) -> bool:
    """Whether a scope limits arguments that nobody told."""
    return tool.arguments is NOT_TOLD and scope is not None and bool(scope.limits.get(tool.name))


def _spent(budgets: Sequence[Budget]) -> bool:
    return any(not budget.left.amount for budget in budgets)
