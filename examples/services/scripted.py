"""Answers of a scripted model, mistakes included, for a run without a real one."""

from __future__ import annotations

from specspan.call import ToolCall
from specspan.testing import Prompt, Reply

_TOOL_CALLS = (
    ToolCall("find_order", {"order": "A-1"}),
    ToolCall("issue_refund", {"order": "A-1", "amount": 80}),
    ToolCall("find_payment", {"order": "A-1"}),
)


def script(prompt: Prompt) -> Reply | str:
    """Return the next answer: a desk for the gateway; tool calls, then a forbidden answer, for the agent."""
    if not prompt.tools:
        return "refunds"
    used = len(prompt.tool_results)
    if used < len(_TOOL_CALLS):
        return Reply(tool_calls=(_TOOL_CALLS[used],))
    return "The refund needs a colleague. You paid with your Visa card, 4111 1111 1111 1111."
