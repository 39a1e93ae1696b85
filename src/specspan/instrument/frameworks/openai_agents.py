"""Agents SDK of OpenAI: runs, the agents that work in them one after the other, and the tools of the application.

A run is a workflow: a handoff ends the work of one agent and begins that of another. An agent is at work from start to
finish of the SDK's own span of it, which is there whether or not the SDK traces. Model calls are met where the
provider's client makes them.
"""

from __future__ import annotations

import json
from typing import Any

from specspan._support.interruption import raise_interruption
from specspan.call import ToolCall
from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import agent, tool_call, workflow
from specspan.instrument.formats.openai_responses import read_output
from specspan.instrument.framework_methods import Activity

_UNNAMED = "Agent workflow"
"""Name that the SDK gives to a run without one."""


def _run(call: Invocation) -> workflow:
    config = call.kwargs.get("run_config")
    name = config.get("workflow_name") if isinstance(config, dict) else getattr(config, "workflow_name", None)
    return workflow(str(name or _UNNAMED))


def _agent(call: Invocation) -> agent:
    return agent(str(call.args[0] if call.args else call.kwargs["name"]))


def _function(call: Invocation) -> tool_call:
    arguments = call.kwargs
    return tool_call(
        str(arguments["function_tool"].name),
        _parsed(arguments["arguments"]),
        call_id=getattr(arguments["context"], "tool_call_id", None),
    )


def _parsed(arguments: Any) -> Any:
    """Return a tool's arguments by name; those that are not JSON as they came."""
    try:
        return json.loads(arguments)
    except (TypeError, ValueError) as error:
        raise_interruption(error)
        return arguments or {}


def _local(call: Invocation) -> tool_call | None:
    """Return the block for a shell, editor, computer or text tool, which is named as in the model's answer."""
    action = call.kwargs["call"] if "call" in call.kwargs else call.kwargs["action"]
    parts = read_output([action.tool_call], None).parts
    requested = next((part for part in parts if isinstance(part, ToolCall)), None)
    return None if requested is None else tool_call(requested.name, requested.arguments, call_id=requested.id)


_OF: Any = {"package": "agents", "distribution": "openai-agents", "install": "specspan[openai-agents]"}
_LOCAL_TOOLS = ("ComputerAction", "LocalShellAction", "ShellAction", "CustomToolAction", "ApplyPatchAction")

ACTIVITIES = (
    Activity(
        block=_run,
        methods=("agents.run:AgentRunner.run", "agents.run:start_streaming"),
        **_OF,
    ),
    Activity(
        block=_agent,
        methods=("agents.run:agent_span", "agents.run_internal.run_loop:agent_span"),
        **_OF,
        extent="started",
    ),
    Activity(
        block=_function,
        methods=(
            "agents.run_internal.tool_execution:_invoke_function_tool_with_metadata",
            "agents.run_internal.tool_execution:invoke_function_tool",  # the same, in older versions
            "agents.realtime.session:invoke_function_tool",
        ),
        **_OF,
    ),
    Activity(
        block=_local,
        methods=tuple([f"agents.run_internal.tool_actions:{name}.execute" for name in _LOCAL_TOOLS]),
        **_OF,
    ),
)
