"""Deferred tools of Pydantic AI: a run that ended with calls to approve goes on with what people said.

Source: https://ai.pydantic.dev/deferred-tools/
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from specspan.approvals.approval import Approval

if TYPE_CHECKING:
    from pydantic_ai import DeferredToolRequests, DeferredToolResults


async def resolve_deferred_tools(requests: DeferredToolRequests, approval: Approval) -> DeferredToolResults:
    """Return the results of the approvals that a run asks for, as ``deferred_tool_results`` of the next run.

    Each is an approval of its own, named by the tool call's id: after a restart the same one is found. Calls that run
    elsewhere (``requests.calls``) are left to the application.

    Raises:
        StoreError: the store cannot be written.
    """
    from pydantic_ai import DeferredToolResults, ToolDenied

    asked = {
        call.tool_call_id: approval.request(call.tool_name, call.args_as_dict(), key=f"pydantic-ai {call.tool_call_id}")
        for call in requests.approvals
    }
    outcomes = await asyncio.gather(*(pending.wait_async() for pending in asked.values()))
    results = DeferredToolResults()
    for call_id, outcome in zip(asked, outcomes, strict=True):
        results.approvals[call_id] = True if outcome.is_approved else ToolDenied("Nobody approved this tool call.")
    return results
