"""SDK of the Model Context Protocol: tools that a client calls, and tools that a server runs."""

from __future__ import annotations

from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import tool_call
from specspan.instrument.framework_methods import Activity


def _tool(call: Invocation) -> tool_call:
    arguments = dict(zip(("name", "arguments"), call.args, strict=False)) | dict(call.kwargs)
    return tool_call(str(arguments["name"]), arguments.get("arguments"))


ACTIVITIES = (
    Activity(
        block=_tool,
        methods=(
            "mcp.client.session:ClientSession.call_tool",
            "mcp.server.mcpserver.tools.tool_manager:ToolManager.call_tool",
            "mcp.server.fastmcp.tools.tool_manager:ToolManager.call_tool",  # the same, in 1.x
        ),
        package="mcp",
        install="specspan[mcp]",
    ),
)
