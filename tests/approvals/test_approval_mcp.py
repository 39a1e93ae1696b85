"""Elicitation: the person at an MCP client approves what the server is to run."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from mcp.client import Client
from mcp.server.mcpserver import Context, MCPServer

import specspan
from specspan.approvals.approval_store import ApprovalStore
from specspan.approvals.frameworks.mcp import elicit_approval


@pytest.mark.parametrize(
    ("action", "approve", "ran"), [("accept", True, [20]), ("accept", False, []), ("decline", None, [])]
)
def test_the_person_at_the_client_is_asked(tmp_path: Path, action: Any, approve: bool | None, ran: list[int]) -> None:
    """What they say is an approval on record, used once."""
    db, done = str(tmp_path / "desk.db"), []
    server = MCPServer("desk")

    @server.tool()
    async def refund(amount: int, context: Context[Any]) -> str:
        """Refund an amount."""
        outcome = await elicit_approval(context, specspan.approval(db=db), "refund", {"amount": amount})
        if outcome.is_approved:
            done.append(amount)
        return outcome.state.value

    async def answer(_context: Any, _asked: Any) -> mcp_types.ElicitResult:
        content: Any = None if approve is None else {"approve": approve}
        return mcp_types.ElicitResult(action=action, content=content)

    async def main() -> None:
        callback: Any = answer
        async with Client(server, elicitation_callback=callback, mode="legacy") as client:
            await client.call_tool("refund", {"amount": 20})

    asyncio.run(main())
    assert done == ran
    (asked,) = ApprovalStore(db).list().approvals
    assert asked.settled_by == "MCP client"
    assert asked.state.value == ("used" if ran else "denied")
