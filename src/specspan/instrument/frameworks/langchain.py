"""LangChain's tools, which LangGraph runs, too. Its model calls are met where the provider's client makes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import tool_call
from specspan.instrument.framework_methods import Activity


def _tool(call: Invocation) -> tool_call:
    tool = call.instance
    given = call.args[0] if call.args else call.kwargs["tool_input"]
    return tool_call(str(tool.name), _arguments(tool, given), call_id=call.kwargs.get("tool_call_id"))


def _arguments(tool: Any, given: Any) -> dict[str, Any]:
    """By name, as the model gave them: what the framework adds of its own, such as a graph's state, is left out."""
    if not isinstance(given, Mapping):
        return {next(iter(tool.args), "input"): given}
    added = getattr(tool, "_injected_args_keys", ())
    return {name: value for name, value in given.items() if name not in added}


ACTIVITIES = (
    Activity(
        block=_tool,
        methods=("langchain_core.tools.base:BaseTool.run", "langchain_core.tools.base:BaseTool.arun"),
        package="langchain_core",
        install="specspan[langchain]",
    ),
)
