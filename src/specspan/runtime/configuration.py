"""Configuration in force in this process, and its replacement by another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from specspan._support import process
from specspan._support.guard import guard
from specspan.engine.deferral import BackgroundRunner
from specspan.engine.engine import Engine
from specspan.engine.shadowing import Shadow
from specspan.instrument.gate import Absence, Pipeline, Unrecorded, activate
from specspan.record.recorder import Recorder
from specspan.runtime.reload import PollingThread

if TYPE_CHECKING:
    from specspan.bridges.bridge import Bridge
    from specspan.runtime.otel_providers import Providers

SHUTDOWN_S = 4.0
"""Time in which everything is flushed and released, so that a process whose backends are down ends within 5 s."""
_SHADOW_S = 1.0
"""Time in which the candidate of a policy that is no longer in force is done with."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Parts that one `configure` put together."""

    pipeline: Pipeline
    providers: Providers
    watcher: PollingThread | None = None
    """Thread that looks for changes of the policy's files, where the policy is reloaded."""
    bridge: Bridge | None = None
    """Bridge that decides the calls that other instrumentation traces, where that is configured."""
    on_shutdown: Callable[[], None] = lambda: None
    """Called when everything else is shut down."""

    def force_flush(self, timeout_s: float) -> bool:
        """Hand over everything recorded so far; return False when some was lost, or left after ``timeout_s``."""
        time_left = _TimeLeft(timeout_s)
        decided = self.bridge is None or self.bridge.force_flush(time_left.for_records())
        judged = self._background is None or self._background.flush(time_left.for_records())
        shadowed = self._shadow is None or self._shadow.flush(time_left.for_records())
        recorded = self.pipeline.recorder.force_flush(time_left.for_records()) and shadowed
        return self.providers.force_flush(time_left.for_providers()) and recorded and decided and judged

    def shutdown(self, *, at_exit: bool = False) -> None:
        """Flush, and release every part; what is not handed over after `SHUTDOWN_S` is given up, and counted."""
        time_left = _TimeLeft(SHUTDOWN_S)
        if self.watcher is not None:
            self.watcher.close()
        with guard("runtime.shutdown.bridge"):
            if self.bridge is not None:
                self.bridge.shutdown(time_left.for_records())
        with guard("runtime.shutdown.background"):
            if self._background is not None:
                self._background.shutdown(time_left.for_judges())
        with guard("runtime.shutdown.shadow"):
            if self._shadow is not None:
                self._shadow.shutdown(time_left.for_records() / 2)
        with guard("runtime.shutdown.recorder"):
            self.pipeline.recorder.shutdown(time_left.for_records())
        with guard("runtime.shutdown.providers"):
            self.providers.shutdown(time_left.for_providers(), at_exit=at_exit)
        self.on_shutdown()

    @property
    def _shadow(self) -> Shadow | None:
        engine = self.pipeline.engine
        return None if engine is None else engine.shadow

    @property
    def _background(self) -> BackgroundRunner | None:
        engine = self.pipeline.engine
        return None if engine is None else engine.background


class _TimeLeft:
    """Deadline that those who flush one after another share: half of it for judges, and a quarter is kept for the last
    of them, the providers.
    """

    def __init__(self, timeout_s: float) -> None:
        self._providers_s = time.monotonic() + timeout_s
        self._records_s = self._providers_s - timeout_s / 4

    def for_judges(self) -> float:
        """Return the seconds that judges may take: what they find still has to be written."""
        return self.for_records() / 2

    def for_records(self) -> float:
        """Return the seconds that bridge and recorder may take."""
        return max(0.0, self._records_s - time.monotonic())

    def for_providers(self) -> float:
        """Return the seconds that OpenTelemetry's providers may take."""
        return max(0.0, self._providers_s - time.monotonic())


class _Current:
    """Holder of the configuration in force."""

    def __init__(self) -> None:
        self.configuration: Configuration | None = None
        self.forget_exit: Callable[[], object] = lambda: None
        self.lock = threading.RLock()
        process.after_fork(self)

    def after_fork(self) -> None:
        """Take a new lock: a thread of the parent may have held the old one."""
        self.lock = threading.RLock()


_current = _Current()


def current_configuration() -> Configuration | None:
    """Return the configuration in force; None before `configure` and after `shutdown`."""
    return _current.configuration


def install_configuration(configuration: Configuration | None, absence: Absence | None = None) -> None:
    """Put another configuration in force, or none, and shut the one before it down.

    ``absence`` says why there is none, where a configuration was asked for.
    """
    with _current.lock:
        before, _current.configuration = _current.configuration, configuration
        if configuration is not None:
            activate(configuration.pipeline)
        elif absence is not None:
            activate(None, absence)
        elif before is not None:
            activate(None, Absence(Unrecorded.SHUTDOWN, lifts_enforcement=before.pipeline.enforces))
    if before is not None:
        before.shutdown()
    if configuration is not None and configuration.watcher is not None:
        configuration.watcher.start()


def register_exit() -> None:
    """Have the configuration shut down at the end of the process, before any part of it would be by itself."""
    _current.forget_exit()
    _current.forget_exit = process.at_exit(partial(shut_down, at_exit=True))


def shut_down(*, at_exit: bool = False) -> None:
    """Shut the configuration down: nothing is recorded from now on, ``at_exit`` of the process or before it.

    A policy in enforce mode stays in force, unless ``SPECSPAN_WHEN_SUPPRESSED`` is ``leave``; decisions that can no
    longer be written are counted.
    """
    with _current.lock:
        before, _current.configuration = _current.configuration, None
        if before is None:
            return
        pipeline = before.pipeline
        if pipeline.enforces and pipeline.always_enforces:
            spanless = pipeline.recorder.without_spans()
            activate(replace(pipeline, recorder=spanless, unrecorded=Unrecorded.SHUTDOWN))
        else:
            activate(None, Absence(Unrecorded.SHUTDOWN, lifts_enforcement=pipeline.enforces))
    before.shutdown(at_exit=at_exit)


def swap_engine(recorder: Recorder, engine: Engine) -> None:
    """Have calls that start from now on decided by ``engine``; calls under way keep the engine they began with.

    ``recorder`` names the configuration: where another configuration is in force meanwhile, nothing changes.
    """
    with _current.lock:
        configuration = _current.configuration
        if configuration is None or configuration.pipeline.recorder is not recorder:
            return
        for policy in engine.policies:  # first, so that the record comes before decisions under it
            recorder.record_policy(policy)
        pipeline = replace(configuration.pipeline, engine=engine)
        _current.configuration = replace(configuration, pipeline=pipeline)
        activate(pipeline)
    before = configuration.pipeline.engine
    if before is not None and before.shadow is not None:
        before.shadow.shutdown(_SHADOW_S)
