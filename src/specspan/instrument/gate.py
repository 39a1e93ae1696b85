"""Gate into a call: the pipeline in force, and the one place that knows which calls are left alone."""

from __future__ import annotations

from dataclasses import dataclass

from opentelemetry import context as otel_context

from specspan._support.otel_private import SUPPRESS_INSTRUMENTATION_KEY
from specspan.call import ToolCall
from specspan.engine.engine import Engine
from specspan.instrument.coexistence import ActiveCall, active_call_in
from specspan.record.recorder import Recorder

_SUPPRESSED = (SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Recorder of calls, and the engine that decides them."""

    recorder: Recorder
    engine: Engine | None = None
    """None: spans without decisions."""


_active: Pipeline | None = None  # until `specspan.configure`


def active() -> Pipeline | None:
    """Return the pipeline in force; None, and every wrapper passes straight through, until one is activated."""
    return _active


def activate(pipeline: Pipeline | None) -> None:
    """Put ``pipeline`` in force for calls that start from now on."""
    global _active
    _active = pipeline


def pipeline_for_call(*, package: str | None = None, tool: ToolCall | None = None) -> Pipeline | None:
    """Return the pipeline for a call that starts here; None where the call is to be left alone.

    It is left alone until a pipeline is active, where OpenTelemetry's instrumentation is suppressed, and where it is
    part of a call that is already decided.

    Args:
        package: the package of the client that makes the call; None for everything else.
        tool: the tool call that is about to be carried out, of a tool's run.
    """
    pipeline = active()
    if pipeline is None:
        return None
    context = otel_context.get_current()
    if not context:
        return pipeline
    if any(context.get(key) for key in _SUPPRESSED):
        return None
    outer = active_call_in(context)
    if outer is not None and (outer.contains(package) or _is_same_run(outer, tool)):
        return None
    return pipeline


def _is_same_run(outer: ActiveCall, tool: ToolCall | None) -> bool:
    """Return whether ``tool`` is the very tool that ``outer`` runs: a framework's tool may be one of another's."""
    running = outer.executes
    if tool is None or running is None:
        return False
    try:
        return (running.name, running.arguments) == (tool.name, tool.arguments)
    except Exception:  # somebody's `__eq__`; then the run is decided once more
        return False
