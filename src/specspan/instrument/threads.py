"""Propagation of ambient state into threads and greenlets, and into what is submitted to their pools.

`contextvars` do that for tasks, not for threads. Only the state of specspan and OpenTelemetry is carried: the
application's own variables are in a thread what they were.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from typing import Any

import wrapt

from specspan._support.process import Undo
from specspan.instrument.context import EMPTY, AmbientState
from specspan.instrument.patches import replace_function

_GREENLETS = "gevent.greenlet"
_OWN_THREADS = "specspan-"
"""Prefix of the names of specspan's own threads. They serve every call, so they start with the state of none."""


def propagate_to_threads() -> Undo:
    """Have threads, their pools and greenlets start with the state in force where they are given work.

    Returns the undo function.
    """
    return Undo(
        replace_function("threading:Thread.start", _propagating_start),
        replace_function("concurrent.futures:ThreadPoolExecutor.submit", _propagating_submit),
        _propagate_to_greenlets(),
    )


def _propagating_start(start: Any, undo: Undo) -> Any:
    def propagating_start(self: threading.Thread) -> None:
        state = AmbientState.capture()
        if undo.is_done or state == EMPTY or self.name.startswith(_OWN_THREADS):
            start(self)
            return
        run = _RunOnce(self, state)
        self.run = run  # type: ignore[method-assign]  # whichever class overrides it
        try:
            start(self)
        except BaseException:
            run.put_back()
            raise

    return propagating_start


def _propagating_submit(submit: Any, undo: Undo) -> Any:
    def propagating_submit(self: ThreadPoolExecutor, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any]
        if undo.is_done:
            future = submit(self, function, *args, **kwargs)
        else:  # a pool's threads outlive the state in force where they are started, so they start with none
            future = EMPTY.run(submit, self, AmbientState.capture().run, function, *args, **kwargs)
        return future

    return propagating_submit


def _propagate_to_greenlets() -> Undo:
    undo = Undo()

    def on_spawn(greenlet: Any) -> None:
        state = AmbientState.capture()
        if greenlet.gr_context is None and state != EMPTY:
            context = Context()  # as empty as a greenlet's is by itself
            context.run(state.activate)
            greenlet.gr_context = context

    def on_import(gevent: Any) -> None:
        if not undo.is_done:
            gevent.Greenlet.add_spawn_callback(on_spawn)
            undo.add(lambda: gevent.Greenlet.remove_spawn_callback(on_spawn))

    wrapt.register_post_import_hook(on_import, _GREENLETS)
    return undo


class _RunOnce:
    """``run`` of a thread with the state of its starter in force; then the thread has its own ``run`` again."""

    __slots__ = ("_own_run", "_state", "_thread")

    def __init__(self, thread: threading.Thread, state: AmbientState) -> None:
        self._own_run = vars(thread).get("run")
        self._thread = thread
        self._state = state

    def __call__(self) -> None:
        self.put_back()
        self._state.run(self._thread.run)

    def put_back(self) -> None:
        """Give the thread its own ``run`` again."""
        if self._own_run is None:
            vars(self._thread).pop("run", None)
        else:
            vars(self._thread)["run"] = self._own_run
