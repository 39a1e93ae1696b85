"""LlamaIndex: the runs of workflows, among them its agents, and the tools that are run in them.

A run works in tasks of its own, whether its caller waits for them or not. Model calls are met where the provider's
client makes them.
"""

from __future__ import annotations

from typing import Any

from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import agent, tool_call, workflow
from specspan.instrument.framework_methods import Activity

_OF: Any = {"package": "llama_index.core", "install": "specspan[llama-index]"}
_TOOLS = ("function_tool:FunctionTool", "query_engine:QueryEngineTool", "retriever_tool:RetrieverTool")


def _run(call: Invocation) -> agent | workflow:
    from llama_index.core.agent.workflow import BaseWorkflowAgent

    flow = call.instance
    if isinstance(flow, BaseWorkflowAgent):
        return agent(str(flow.name), description=flow.description or None)
    return workflow(str(getattr(flow, "workflow_name", None) or type(flow).__qualname__))


def _task(handler: Any) -> Any | None:
    """Return the task that a run works in until its end."""
    return getattr(handler, "_result_task", None)


def _tool(call: Invocation) -> tool_call:
    tool = call.instance
    return tool_call(str(tool.metadata.get_name()), _arguments(tool, call))


def _arguments(tool: Any, call: Invocation) -> dict[str, Any]:
    """Return a tool's arguments by name, with its defaults, and without the context that the framework adds."""
    parameters = tool.metadata.get_parameters_dict().get("properties", {})
    arguments = {name: schema["default"] for name, schema in parameters.items() if "default" in schema}
    for attribute in ("_field_defaults", "partial_params"):
        arguments |= getattr(tool, attribute, None) or {}
    unnamed = (f"argument_{i}" for i in range(len(parameters), len(call.args)))
    arguments |= {**dict(zip((*parameters, *unnamed), call.args, strict=False)), **call.kwargs}
    arguments.pop(getattr(tool, "ctx_param_name", None), None)
    return arguments


ACTIVITIES = (
    Activity(block=_run, methods=("workflows.workflow:Workflow.run",), task=_task, **_OF),
    Activity(
        block=_tool,
        methods=tuple([f"llama_index.core.tools.{tool}.{method}" for tool in _TOOLS for method in ("call", "acall")]),
        **_OF,
    ),
)
