"""Gate into a call: the pipeline in force, and the one place that knows which calls are not decided.

A call is not decided before `specspan.configure`, inside a check, and where it is part of another call. Where recording
is suppressed, switched off or shut down, a policy in enforce mode is enforced all the same, unless the application says
otherwise. Each call that loses its record or its decision in this way is counted, and the first one is logged.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from enum import Enum

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from specspan._support import drop_counts
from specspan._support.interruption import raise_interruption
from specspan._support.otel_private import SUPPRESS_INSTRUMENTATION_KEY
from specspan.call import ToolCall
from specspan.checks.foreign.json_posts import set_propagation
from specspan.engine.bound_check import IS_IN_CHECK
from specspan.engine.engine import Engine
from specspan.instrument.coexistence import ActiveCall, active_call_in
from specspan.record.recorder import Recorder

_log = logging.getLogger("specspan")
_SUPPRESSED = (SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")


class Unrecorded(Enum):
    """Reason for which calls are not recorded, as `specspan.dropped` counts it."""

    SUPPRESSED = "suppressed"
    DISABLED = "disabled"
    SHUTDOWN = "shutdown"


_CAUSES = {
    Unrecorded.SUPPRESSED: "OpenTelemetry's instrumentation is suppressed",
    Unrecorded.DISABLED: "OTEL_SDK_DISABLED is set",
    Unrecorded.SHUTDOWN: "specspan is shut down",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Recorder of calls, and the engine that decides them."""

    recorder: Recorder
    engine: Engine | None = None
    """None: spans without decisions."""
    unrecorded: Unrecorded | None = None
    """Reason for which the recorder writes nothing; None: it writes."""
    always_enforces: bool = True
    """Whether a policy in enforce mode is enforced where nothing is recorded, too."""

    @property
    def enforces(self) -> bool:
        """Return whether the policy is in enforce mode."""
        return enforces(self.engine)


@dataclass(frozen=True, slots=True)
class Absence:
    """State after a configuration that left no pipeline in force."""

    reason: Unrecorded
    lifts_enforcement: bool
    """Whether a policy in enforce mode would be in force otherwise."""


def enforces(engine: Engine | None) -> bool:
    """Return whether an engine can act on a call."""
    return engine is not None and engine.enforces


_active: Pipeline | None = None  # until `specspan.configure`
_absence: Absence | None = None
_logged: set[str] = set()


def active() -> Pipeline | None:
    """Return the pipeline in force; None, and every wrapper passes straight through, until one is activated."""
    return _active


def activate(pipeline: Pipeline | None, absence: Absence | None = None) -> None:
    """Put ``pipeline`` in force for calls that start from now on; ``absence`` says why it is None."""
    global _active, _absence
    set_propagation(_inject)
    is_reload = pipeline is not None and _active is not None and pipeline.recorder is _active.recorder
    _active, _absence = pipeline, absence
    if not is_reload:
        _logged.clear()


def _inject(headers: MutableMapping[str, str]) -> None:
    """Write the headers by which a service that a check asks continues the trace."""
    from opentelemetry import propagate

    propagate.inject(headers)


def lift_after_shutdown() -> None:
    """Lift a policy that is still enforced after a shutdown; one of a configuration in force stays."""
    if _active is not None and _active.unrecorded is Unrecorded.SHUTDOWN:
        activate(None, Absence(Unrecorded.SHUTDOWN, lifts_enforcement=_active.enforces))


def pipeline_for_call(
    *, package: str | None = None, tool: ToolCall | None = None, is_inner: bool = False
) -> Pipeline | None:
    """Return the pipeline for a model call or a tool's run that starts here; None where it is to be left alone.

    It is left alone until a pipeline is active, and where it is part of a call that is already decided. Inside a check
    it is recorded and not decided. Where OpenTelemetry's instrumentation is suppressed, it is enforced without a span
    under a policy in enforce mode, and else left alone.

    Args:
        package: the package of the client that makes the call; None for everything else.
        tool: the tool call that is about to be carried out, of a tool's run.
        is_inner: True where another method may have begun the call, and counted it.
    """
    pipeline = _active
    if pipeline is None:
        if _absence is not None and not is_inner:
            count_unrecorded(_absence.reason, lifts=_absence.lifts_enforcement, enforces=False)
        return None
    context = otel_context.get_current()
    if context:
        outer = active_call_in(context)
        if outer is not None and (outer.contains(package) or _is_same_run(outer, tool)):
            return None
        if _is_suppressed(context):
            return None if IS_IN_CHECK.get() else _suppressed(pipeline, is_counted=not is_inner)
    if pipeline.unrecorded is not None and not is_inner:
        count_unrecorded(pipeline.unrecorded, lifts=False, enforces=pipeline.enforces)
    return replace(pipeline, engine=None) if IS_IN_CHECK.get() else pipeline


def recorder_for_work() -> Recorder | None:
    """Return the recorder for work that makes a span and is never decided; None where it is to be left alone."""
    pipeline = _active
    return None if pipeline is None or _is_suppressed(otel_context.get_current()) else pipeline.recorder


def count_unrecorded(reason: Unrecorded, *, lifts: bool, enforces: bool) -> None:
    """Count a call that is not recorded, and log the first one.

    Args:
        reason: what keeps the call from being recorded.
        lifts: True where a policy in enforce mode is not enforced on the call.
        enforces: True where a policy in enforce mode is enforced on the call.
    """
    drop_counts.count("enforcement" if lifts else "call", reason.value)
    log_unrecorded(reason, lifts=lifts, enforces=enforces)


def log_unrecorded(reason: Unrecorded, *, lifts: bool, enforces: bool) -> None:
    """Log once that calls are not recorded: as a warning where a policy is in enforce mode."""
    effect = "neither recorded nor decided"
    if lifts:
        effect = "neither recorded nor enforced"
    elif enforces:
        effect = "enforced, and make no spans"
    message = f"{_CAUSES[reason]}: model calls are {effect} (see docs/enforcement.md)"
    if message not in _logged:
        _logged.add(message)
        _log.log(logging.WARNING if lifts or enforces else logging.INFO, "%s", message)


def note_undecided(name: str) -> None:
    """Count a call that may hand out answers and is not decided, and log the first of those with one name."""
    enforces = _active is not None and _active.enforces
    drop_counts.count("enforcement" if enforces else "call", "not_met")
    if enforces and name not in _logged:
        _logged.add(name)
        _log.warning("%s: handed out undecided (see docs/enforcement.md)", name)


def _is_suppressed(context: Context) -> bool:
    return any(context.get(key) for key in _SUPPRESSED)


def _suppressed(pipeline: Pipeline, *, is_counted: bool) -> Pipeline | None:
    """Return the pipeline for a call where instrumentation is suppressed: one without spans, or None."""
    enforces = pipeline.enforces and pipeline.always_enforces
    if is_counted:
        count_unrecorded(Unrecorded.SUPPRESSED, lifts=pipeline.enforces and not enforces, enforces=enforces)
    return replace(pipeline, recorder=pipeline.recorder.without_spans()) if enforces else None


def _is_same_run(outer: ActiveCall, tool: ToolCall | None) -> bool:
    """Return whether ``tool`` is the very tool that ``outer`` runs: a framework's tool may be one of another's."""
    running = outer.executes
    if tool is None or running is None:
        return False
    try:
        return (running.name, running.arguments) == (tool.name, tool.arguments)
    except Exception as error:  # somebody's `__eq__`; then the run is decided once more
        raise_interruption(error)
        return False
