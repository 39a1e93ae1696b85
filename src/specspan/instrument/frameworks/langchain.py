"""LangChain: the tools, which LangGraph runs, too. Model calls are met where the provider's client makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import tool_call
from specspan.instrument.framework_methods import Activity


def _tool(call: Invocation) -> tool_call:
    tool = call.instance
    tool_input = call.args[0] if call.args else call.kwargs["tool_input"]
    return tool_call(str(tool.name), _arguments(tool, tool_input), call_id=call.kwargs.get("tool_call_id"))


def _arguments(tool: Any, tool_input: Any) -> dict[str, Any]:
    """Return a tool's arguments by name, without those that the framework adds, such as a graph's state."""
    if not isinstance(tool_input, Mapping):
        return {next(iter(tool.args), "input"): tool_input}
    added = getattr(tool, "_injected_args_keys", ())
    return {name: value for name, value in tool_input.items() if name not in added}


ACTIVITIES = (
    Activity(
        block=_tool,
        methods=("langchain_core.tools.base:BaseTool.run", "langchain_core.tools.base:BaseTool.arun"),
        package="langchain_core",
        install="specspan[langchain]",
    ),
)
