"""The model's part where there is none: what a scripted one answers, mistakes included."""

from __future__ import annotations

from specspan.call import ToolCall
from specspan.testing import Prompt, Reply

_WISHES = (
    ToolCall("find_order", {"order": "A-1"}),
    ToolCall("issue_refund", {"order": "A-1", "amount": 80}),
    ToolCall("find_payment", {"order": "A-1"}),
)


def script(prompt: Prompt) -> Reply | str:
    """Sort for the gateway; for the agent use one tool after another, then say more than it may."""
    if not prompt.tools:
        return "refunds"
    used = len(prompt.tool_results)
    if used < len(_WISHES):
        return Reply(tool_calls=(_WISHES[used],))
    return "The refund needs a colleague. You paid with your Visa card, 4111 1111 1111 1111."
