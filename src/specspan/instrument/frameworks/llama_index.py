"""LlamaIndex: the runs of workflows, of which its agents are some, and the tools that are run in them.

A run works in tasks of its own, for which whoever asked may wait or not. Model calls are met where the provider's
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

    ran = call.instance
    if isinstance(ran, BaseWorkflowAgent):
        return agent(str(ran.name), description=ran.description or None)
    return workflow(str(getattr(ran, "workflow_name", None) or type(ran).__qualname__))


def _task(handler: Any) -> Any | None:
    """What a run works in until it is over."""
    return getattr(handler, "_result_task", None)


def _tool(call: Invocation) -> tool_call:
    tool = call.instance
    return tool_call(str(tool.metadata.get_name()), _arguments(tool, call))


def _arguments(tool: Any, call: Invocation) -> dict[str, Any]:
    """By name, with defaults and what the tool was made with; not the context that the framework adds."""
    parameters = tool.metadata.get_parameters_dict().get("properties", {})
    named = {name: said["default"] for name, said in parameters.items() if "default" in said}
    for made_with in ("_field_defaults", "partial_params"):
        named |= getattr(tool, made_with, None) or {}
    unnamed = (f"argument_{i}" for i in range(len(parameters), len(call.args)))
    named |= {**dict(zip((*parameters, *unnamed), call.args, strict=False)), **call.kwargs}
    named.pop(getattr(tool, "ctx_param_name", None), None)
    return named


ACTIVITIES = (
    Activity(block=_run, methods=("workflows.workflow:Workflow.run",), task=_task, **_OF),
    Activity(
        block=_tool,
        methods=tuple([f"llama_index.core.tools.{tool}.{method}" for tool in _TOOLS for method in ("call", "acall")]),
        **_OF,
    ),
)
