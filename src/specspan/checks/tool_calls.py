"""Limits on tool calls: the scope of autonomy of the work they belong to, and the limits of single arguments.

The kinds `specspan.checks.kinds.tools` and `specspan.checks.kinds.scope` stand on it. An argument that cannot be shown
to keep to its limit breaks it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from specspan.call import UNKNOWN_ARGUMENTS, CallContext, ModelCall, Side, ToolCall
from specspan.checks.check import CheckConfigError, CheckResult, CheckTraits, PartialFindings, TextAt
from specspan.checks.patterns import Pattern
from specspan.decision import Evidence, Finding, Outcome, Stage
from specspan.scope.narrowing import Budget
from specspan.scope.scope import ArgumentLimit, Number, Scalar, ScopeOfAutonomy, json_identity

Violation = Callable[[ToolCall], str | None]
"""Function that returns the reason for which a tool call violates a clause, or None."""


def tool_call_traits(*needs: Side) -> CheckTraits:
    """Return the traits of a check that looks at each tool call before it runs, on the caller's thread.

    A tool call that violates the clause does so whatever else is not known of the call.
    """
    return CheckTraits(Stage.TOOL_CALL, needs=frozenset(needs), finds_in_part=PartialFindings.VIOLATIONS)


def check_tool_calls(call: ModelCall, texts: Sequence[TextAt], violation_of: Violation) -> CheckResult:
    """Check every tool call of an answer: the first violation gives the reason, each of them is evidence."""
    violations = []
    any_call = any_unknown = False
    for i, message in enumerate(call.output):
        for j, part in enumerate(message.parts):
            if isinstance(part, ToolCall):
                any_call = True
                any_unknown = any_unknown or _has_unknown_arguments(call.context.scope, part)
                if (reason := violation_of(part)) is not None:
                    violations.append((f"/output/{i}/parts/{j}", reason))
    if not violations:
        return Finding(Outcome.UNCERTAIN, "arguments_not_told") if any_unknown else True if any_call else None
    length = {text.pointer: len(text.text) for text in texts}
    evidence = tuple(Evidence(pointer, 0, length.get(pointer, 0)) for pointer, _ in violations)
    return Finding(Outcome.VIOLATED, violations[0][1], evidence=evidence)


def out_of_scope(context: CallContext, tool: ToolCall) -> str | None:
    """Return the reason for which a tool may not be called within the scope in force; None if it may."""
    standing = context.standing
    if standing is not None and _is_exhausted(standing.budgets):
        return "cost_limit_reached"
    return None if context.scope is None else _outside_scope(context.scope, tool)


def broken_limit(limits: Mapping[str, ArgumentLimit], arguments: Any) -> str | None:
    """Return the reason for which ``arguments`` break a limit; None if they keep to all, or are not known."""
    if not limits or arguments is UNKNOWN_ARGUMENTS:
        return None
    if not isinstance(arguments, Mapping):
        return "arguments_not_an_object"
    reasons = (_limit_broken_by(arguments, name, limit) for name, limit in limits.items())
    return next(filter(None, reasons), None)


@functools.lru_cache(512)
def whole_text_pattern(source: str) -> Pattern:
    """Return a pattern that matches only a whole text.

    Raises:
        CheckConfigError: the pattern cannot run in linear time, or is refused for another reason.
    """
    return Pattern(source, whole=True)


def _limit_broken_by(arguments: Mapping[Any, Any], name: str, limit: ArgumentLimit) -> str | None:
    if name not in arguments:
        return None if limit.optional or limit.forbidden else "argument_missing"
    if limit.forbidden:
        return "argument_forbidden"
    value = arguments[name]
    return (
        _range_broken_by(value, limit.min, limit.max)
        or _list_broken_by(value, limit.one_of)
        or _patterns_broken_by(value, limit.patterns)
    )


def _range_broken_by(value: Any, minimum: Number | None, maximum: Number | None) -> str | None:
    if minimum is None and maximum is None:
        return None
    if not _is_comparable_number(value):
        return "argument_wrong_type"
    if maximum is not None and value > maximum:
        return "argument_over_limit"
    return "argument_under_limit" if minimum is not None and value < minimum else None


def _list_broken_by(value: Any, allowed: tuple[Scalar, ...] | None) -> str | None:
    if allowed is None:
        return None
    if not isinstance(value, (str, bool, int, float)):
        return "argument_wrong_type"
    given = json_identity(value)
    return None if any(json_identity(each) == given for each in allowed) else "argument_not_listed"


def _patterns_broken_by(value: Any, patterns: tuple[str, ...]) -> str | None:
    if not patterns:
        return None
    if not isinstance(value, str):
        return "argument_wrong_type"
    return None if all(_matches_whole(pattern, value) for pattern in patterns) else "argument_does_not_match"


def _matches_whole(source: str, value: str) -> bool:
    try:
        return whole_text_pattern(source).matches(value)
    except CheckConfigError:  # the pattern came from another service; our own are refused where they are declared
        return False


def _is_comparable_number(value: Any) -> bool:
    """Return whether a value is a number with an order: to Python True is 1, and NaN is over no limit."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) != math.inf


def _outside_scope(scope: ScopeOfAutonomy, tool: ToolCall) -> str | None:
    if scope.allowed_tools is not None and tool.name not in scope.allowed_tools:
        return "tool_out_of_scope"
    if scope.deadline is not None and datetime.now(timezone.utc) >= scope.deadline:
        return "deadline_passed"
    return broken_limit(scope.limits.get(tool.name, {}), tool.arguments)


def _has_unknown_arguments(scope: ScopeOfAutonomy | None, tool: ToolCall) -> bool:
    """Return whether a scope limits arguments of a tool call that are not known."""
    return tool.arguments is UNKNOWN_ARGUMENTS and scope is not None and bool(scope.limits.get(tool.name))


def _is_exhausted(budgets: Sequence[Budget]) -> bool:
    return any(not budget.remaining.amount for budget in budgets)
