"""MCP server whose tools stay within their limits, whatever client calls them.

`python mcp_server.py serve` talks over standard input and output; without an argument the program is such a client.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters
from mcp.server.mcpserver import MCPServer

import specspan

server = MCPServer("travel desk")


@server.tool()
def book(train: str, price: float) -> str:
    """Book a seat in a train, and say so."""
    return f"{train} is booked for {price:.0f}."


def serve() -> None:
    """Run the server until its client goes."""
    specspan.configure(policy=Path(__file__).with_name("policy.yaml"), service_name="travel-desk")
    specspan.instrument("mcp")
    logging.getLogger("mcp.server").setLevel(logging.CRITICAL)  # it logs the stack of what a tool raises
    server.run()


async def ask() -> None:
    """Book two trains, of which one is beyond the limits: its tool does not run, and the client is told."""
    this = StdioServerParameters(command=sys.executable, args=[__file__, "serve"], env=dict(os.environ))
    async with Client(this) as client:
        for train, price in (("The early train", 39), ("The sleeper", 340)):
            answer = await client.call_tool("book", {"train": train, "price": price})
            text = " ".join(part.text for part in answer.content if part.type == "text")
            print("Not booked." if answer.is_error else text, text if answer.is_error else "")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        asyncio.run(ask())
