"""Rules for the tool calls of a whole conversation: order, approval, number and sums of arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic as now_s

from specspan.call import UNKNOWN_ARGUMENTS, ModelCall, Side, ToolCall
from specspan.checks.conversations.tool_memory import RememberedCall, ToolMemory
from specspan.checks.conversations.turns import earlier_tool_calls

ANY_TOOL = "*"
"""In place of a tool's name: all tools together."""
NOT_KNOWN = "conversation_not_known"
"""Uncertain: a rule needs the conversation's earlier tool calls, and nothing tells them."""


@dataclass(frozen=True, slots=True)
class CallLimit:
    """Most calls of a tool, in a conversation or in a stretch of time within it."""

    max: int
    per_s: float | None = None
    """Seconds; None: the whole conversation."""


@dataclass(frozen=True, slots=True)
class SumLimit:
    """Largest sum of an argument over the calls of a tool, in the same way."""

    argument: str
    max: float
    per_s: float | None = None


@dataclass(frozen=True, slots=True)
class ToolRules:
    """Rules for the tool calls of a conversation, by tool."""

    after: Mapping[str, tuple[str, ...]]
    """Tools that must have answered, earlier in the conversation."""
    approval: Mapping[str, str]
    """Fact of the context that must be true."""
    calls: Mapping[str, CallLimit]
    sums: Mapping[str, tuple[SumLimit, ...]]
    memory: ToolMemory

    @property
    def sides(self) -> tuple[Side, ...]:
        """Sides of a call that the rules read beside the names of its tool calls."""
        of_earlier = (Side.INPUT,) if self.reads_earlier else ()
        return (*of_earlier, Side.ARGUMENTS) if self.sums else of_earlier

    @property
    def reads_earlier(self) -> bool:
        """True where a rule depends on earlier tool calls."""
        return bool(self.after or self.calls or self.sums)


class ConversationSoFar:
    """Tool calls of one conversation before those of an answer, and then those of the answer that keep to the rules."""

    def __init__(self, rules: ToolRules, call: ModelCall) -> None:
        context, request = call.context, call.request
        self._rules = rules
        self._facts = context.attributes
        self._key = context.conversation or request.conversation or (f"user {context.user}" if context.user else None)
        self._is_sent = request.is_seen and request.executes is None and call.gaps.input is None
        self._now_s = now_s()
        self._answer = call.response.id if call.response is not None else None
        self._number = 0
        sent = earlier_tool_calls(call.input) if rules.reads_earlier and self._is_sent else ()
        remembered = rules.memory.calls(self._key) if rules.reads_earlier and self._key is not None else ()
        answered = {earlier.call.name for earlier in sent if earlier.is_answered}
        self._answered = answered if self._is_sent else {each.name for each in remembered}
        self._earlier = _merged(remembered, [self._remembered(each.call, is_new=False) for each in sent])
        self._ids = {each.id for each in remembered if each.id is not None}
        self.is_unknown = False
        """True once a rule could not be applied, as nothing tells the earlier tool calls."""

    def violation(self, tool: ToolCall) -> str | None:
        """Return the reason for which a tool call breaks a rule; count it where it breaks none."""
        self._number += 1
        rules = self._rules
        fact = rules.approval.get(tool.name)
        if fact is not None and self._facts.get(fact) is not True:
            return "approval_missing"
        if not rules.reads_earlier:
            return None
        current = self._remembered(tool, is_new=True)
        if current.id in self._ids:  # the same call, seen again as it is carried out
            return None
        reason = self._out_of_order(tool) or self._over_calls(tool) or self._over_sums(tool, current)
        if reason is None:
            self._earlier.append(current)
            if self._key is not None:
                rules.memory.add(self._key, current)
        return reason

    def _out_of_order(self, tool: ToolCall) -> str | None:
        needed = self._rules.after.get(tool.name, ())
        if not needed:
            return None
        if not self._is_sent and self._key is None:
            self.is_unknown = True
            return None
        return None if self._answered.issuperset(needed) else "tool_out_of_order"

    def _over_calls(self, tool: ToolCall) -> str | None:
        for name in (tool.name, ANY_TOOL):
            limit = self._rules.calls.get(name)
            if limit is not None:
                made = [each for each in self._within(limit.per_s) if name in (ANY_TOOL, each.name)]
                if len(made) >= limit.max:
                    return "tool_calls_over_limit"
        return None

    def _over_sums(self, tool: ToolCall, current: RememberedCall) -> str | None:
        if tool.arguments is UNKNOWN_ARGUMENTS:
            return None
        for limit in self._rules.sums.get(tool.name, ()):
            amount = current.amounts.get(limit.argument)
            if amount is None:
                is_object = isinstance(tool.arguments, Mapping)
                return "argument_wrong_type" if is_object and limit.argument in tool.arguments else "argument_missing"
            if amount < 0:  # would make room for more
                return "argument_under_limit"
            made = [each for each in self._within(limit.per_s) if each.name == tool.name]
            if math.fsum(each.amounts.get(limit.argument, 0.0) for each in made) + amount > limit.max:
                return "tool_budget_over_limit"
        return None

    def _within(self, per_s: float | None) -> Sequence[RememberedCall]:
        if self._key is None and (per_s is not None or not self._is_sent):
            self.is_unknown = True
        if per_s is None:
            return self._earlier
        return [each for each in self._earlier if each.time_s is not None and self._now_s - each.time_s < per_s]

    def _remembered(self, tool: ToolCall, *, is_new: bool) -> RememberedCall:
        id_ = tool.id or (f"{self._answer}/{self._number}" if is_new and self._answer else None)
        sums = self._rules.sums.get(tool.name, ())
        arguments = tool.arguments if isinstance(tool.arguments, Mapping) else {}
        read = ((limit.argument, _amount(arguments.get(limit.argument))) for limit in sums)
        amounts = {name: amount for name, amount in read if amount is not None}
        return RememberedCall(tool.name, id_, self._now_s if is_new else None, amounts)


def _merged(remembered: Sequence[RememberedCall], sent: Sequence[RememberedCall]) -> list[RememberedCall]:
    """Return the calls that are remembered or sent, each once; where ids are missing, the longer of the two."""
    if any(each.id is None for each in (*remembered, *sent)):
        return list(remembered if len(remembered) >= len(sent) else sent)
    ids = {each.id for each in remembered}
    return [*remembered, *(each for each in sent if each.id not in ids)]


def _amount(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        amount = float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
    return None if math.isnan(amount) else amount
