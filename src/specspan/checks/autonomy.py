"""Whether tool calls are within the scope of autonomy of the work they belong to, and what checks of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from specspan.call import NOT_TOLD, CallContext, ModelCall, ToolCall
from specspan.checks.arguments import broken_limit
from specspan.checks.base import ARGUMENTS, TOOL_CALLS, TextAt
from specspan.decision import CheckRef, Evidence, Finding, Outcome, Stage
from specspan.scope.model import ScopeOfAutonomy
from specspan.scope.standing import Budget


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
    return None if context.scope is None else _outside(context.scope, tool)


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


def _outside(scope: ScopeOfAutonomy, tool: ToolCall) -> str | None:
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
