"""Elicitation of the Model Context Protocol: a server asks the person at the client.

Source: https://modelcontextprotocol.io/specification/2025-06-18/client/elicitation
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from specspan.approvals.approval import Approval
from specspan.approvals.approval_request import ApprovalOutcome
from specspan.stores.people import Person, Role

if TYPE_CHECKING:
    from mcp.server.mcpserver import Context


async def elicit_approval(
    context: Context[Any], approval: Approval, name: str, arguments: Any, *, person: str = "MCP client"
) -> ApprovalOutcome:
    """Ask the person at the client of a tool's call to approve it, and return the outcome.

    The question and the answer are an approval on record like any other. Where the client declines, cancels or cannot
    be asked, it is denied.

    Args:
        context: context of the tool that asks.
        approval: the way to ask; its time limits the approval, not the client's answer.
        name: name of what is to run.
        arguments: its arguments, which the person reads.
        person: name under which the answer is recorded.

    Raises:
        StoreError: the store cannot be written.
    """
    from pydantic import BaseModel, Field

    class Answer(BaseModel):
        """Answer of the person."""

        approve: bool = Field(description=f"Run {name} with these arguments?")

    pending = approval.request(name, arguments)
    said = False
    try:
        result = await context.elicit(f"Approve {name}({arguments!r})?", Answer)
        said = result.action == "accept" and result.data.approve
    finally:
        pending.settle(Person(person, Role.APPROVER), is_approved=said)
    return await pending.wait_async()
