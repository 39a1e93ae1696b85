"""What is in force in this process, and how something else takes its place."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from specspan._support.guard import guard
from specspan.engine.engine import Engine
from specspan.instrument.pipeline import Pipeline, activate
from specspan.record.recorder import Recorder
from specspan.runtime.reload import PollingThread

if TYPE_CHECKING:
    from specspan.bridges.bridge import Bridge
    from specspan.runtime.otel_providers import Providers
from typing import Any

import wrapt


@dataclass(frozen=True, slots=True)
class Configuration:
    """What one `configure` put together."""

    pipeline: Pipeline
    providers: Providers
    watcher: PollingThread | None = None
    """Looks at the policy's files, where they are to be looked at again."""
    bridge: Bridge | None = None
    """Decides the calls that others trace, where that was asked for."""
    on_shutdown: Callable[[], None] = lambda: None
    """Done when all else is shut down."""

    def force_flush(self, timeout_s: float) -> bool:
        """Hand over everything recorded so far; False when something was left."""
        decided = self.bridge is None or self.bridge.force_flush(timeout_s)
        recorded = self.pipeline.recorder.force_flush(timeout_s)
        return self.providers.force_flush(timeout_s) and recorded and decided

    def shutdown(self) -> None:
        """Flush, and let go of everything."""
        if self.watcher is not None:
            self.watcher.close()
        with guard("runtime.shutdown.bridge"):
            if self.bridge is not None:
                self.bridge.shutdown()
        with guard("runtime.shutdown.recorder"):
            self.pipeline.recorder.shutdown()
        with guard("runtime.shutdown.providers"):
            self.providers.shutdown()
        self.on_shutdown()


_lock = threading.RLock()
_running: Configuration | None = None


def current_configuration() -> Configuration | None:
    """What is in force; None before `configure` and after `shutdown`."""
    return _running


def install_configuration(what: Configuration | None) -> None:
    """Put something else in force, and shut down what was."""
    global _running
    with _lock:
        before, _running = _running, what
        activate(what.pipeline if what is not None else None)
    if before is not None:
        before.shutdown()
    if what is not None and what.watcher is not None:
        what.watcher.start()


def swap_engine(recorder: Recorder, engine: Engine) -> None:
    """Have calls that start from now on decided by ``engine``; those under way keep the one they began with.

    ``recorder`` says in which configuration: where another took its place meanwhile, nothing changes.
    """
    global _running
    with _lock:
        if _running is None or _running.pipeline.recorder is not recorder:
            return
        recorder.record_policy(engine.policy)  # first, so that the record comes before decisions under it
        pipeline = replace(_running.pipeline, engine=engine)
        _running = replace(_running, pipeline=pipeline)
        activate(pipeline)


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # another thread of the parent may have held it
    os.register_at_fork(after_in_child=_renew_lock)


# MERGED processes: Processes that `multiprocessing` starts: they end by ``os._exit``, so nothing that `atexit` has
# is called in them.


_LAST = -100
"""After the finalisers of others, which may yet make calls."""


def at_end_of_child(shutdown: Callable[[], None]) -> None:
    """Have ``shutdown`` called at the end of every process that `multiprocessing` starts, and of this one if it is one.

    Where nobody imports `multiprocessing`, neither does this.
    """
    wrapt.register_post_import_hook(lambda util: _register(util, shutdown), "multiprocessing.util")


def _register(util: Any, shutdown: Callable[[], None]) -> None:
    from multiprocessing.process import parent_process

    def renew(_: object) -> None:
        util.Finalize(None, shutdown, exitpriority=_LAST)

    util.register_after_fork(shutdown, renew)  # every child forgets what was registered before it began
    if parent_process() is not None:
        renew(None)
