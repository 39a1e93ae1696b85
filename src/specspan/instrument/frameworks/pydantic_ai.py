"""Pydantic AI: the runs of an agent, and the tools that are run in them.

Every way to run an agent enters its ``iter()``. Where Pydantic AI traces a run itself, its span is the run's, and the
decision about a tool is noted on its span of that tool. Model calls are met where the provider's client makes them.
"""

from __future__ import annotations

from typing import Any

from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import agent, tool_call
from specspan.instrument.framework_methods import Activity

_UNNAMED = "agent"
"""Name that Pydantic AI gives to an agent without one."""


def _run(call: Invocation) -> agent:
    return agent(str(call.instance.name or _UNNAMED))


def _tracer(call: Invocation) -> Any | None:
    """Return the tracer with which Pydantic AI traces a run: of the run, the agent, its model, or all agents."""
    agent_run, settings = call.instance, []

    def collect(capability: Any) -> None:
        settings.append(getattr(capability, "settings", None))

    for capability in (*(call.kwargs.get("capabilities") or ()), agent_run.root_capability):
        if hasattr(capability, "apply"):
            capability.apply(collect)
    settings.append(getattr(call.kwargs.get("model") or agent_run.model, "instrumentation_settings", None))
    own = agent_run.instrument
    settings.append(own if own is not None else getattr(agent_run, "_instrument_default", None))
    return next((tracer for each in settings if (tracer := _tracer_of(each)) is not None), None)


def _tracer_of(settings: Any) -> Any | None:
    if settings is True:
        from pydantic_ai.models.instrumented import InstrumentationSettings

        return InstrumentationSettings().tracer
    return getattr(settings, "tracer", None)


def _tool(call: Invocation) -> tool_call:
    validated = call.args[0]
    requested = validated.call
    return tool_call(str(requested.tool_name), validated.validated_args, call_id=requested.tool_call_id)


ACTIVITIES = (
    Activity(
        block=_run,
        methods=("pydantic_ai.agent:Agent.iter",),
        package="pydantic_ai",
        install="specspan[pydantic-ai]",
        extent="entered",
        tracer=_tracer,
    ),
    Activity(
        block=_tool,
        methods=("pydantic_ai.tool_manager:ToolManager._raw_execute",),
        package="pydantic_ai",
        install="specspan[pydantic-ai]",
    ),
)
