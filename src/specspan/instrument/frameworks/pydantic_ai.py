"""Pydantic AI: the runs of an agent, and the tools that are run in them.

Every way to run an agent enters its ``iter()``. Where Pydantic AI traces a run itself, its span is the run's, and what
is decided about a tool is noted on its span of that tool. Model calls are met where the provider's client makes them.
"""

from __future__ import annotations

from typing import Any

from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import agent, tool_call
from specspan.instrument.framework_methods import Activity

_UNNAMED = "agent"
"""What Pydantic AI calls an agent that has no name."""


def _run(call: Invocation) -> agent:
    return agent(str(call.instance.name or _UNNAMED))


def _tracer(call: Invocation) -> Any | None:
    """What Pydantic AI traces a run with: as the run or the agent was given it, the model, or all agents."""
    ran, settings = call.instance, []

    def look(capability: Any) -> None:
        settings.append(getattr(capability, "settings", None))

    for capability in (*(call.kwargs.get("capabilities") or ()), ran.root_capability):
        if hasattr(capability, "apply"):
            capability.apply(look)
    settings.append(getattr(call.kwargs.get("model") or ran.model, "instrumentation_settings", None))
    own = ran.instrument
    settings.append(own if own is not None else getattr(ran, "_instrument_default", None))
    return next((tracer for each in settings if (tracer := _tracer_of(each)) is not None), None)


def _tracer_of(settings: Any) -> Any | None:
    if settings is True:
        from pydantic_ai.models.instrumented import InstrumentationSettings

        return InstrumentationSettings().tracer
    return getattr(settings, "tracer", None)


def _tool(call: Invocation) -> tool_call:
    validated = call.args[0]
    asked = validated.call
    return tool_call(str(asked.tool_name), validated.validated_args, call_id=asked.tool_call_id)


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
