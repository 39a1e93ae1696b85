"""What is said of work holds in the threads and greenlets it starts, and in what it submits to their pools.

`contextvars` do that for tasks, not for threads. Only what is ours and OpenTelemetry's is carried: the application's
own variables are in a thread what they were.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import Context
from functools import wraps
from typing import Any

import wrapt

from specspan.instrument.context import EMPTY, AmbientState

_GREENLETS = "gevent.greenlet"
_OURS = "specspan-"
"""Our own threads serve every call, so they begin with nothing of what was said about the first."""


def propagate_to_threads() -> Callable[[], None]:
    """Have threads, their pools and greenlets carry what is said where they are given work. Returns what undoes it."""
    undo_threads, undo_greenlets = _carry_into_threads(), _carry_into_greenlets()

    def undo() -> None:
        undo_greenlets()
        undo_threads()

    return undo


def _carry_into_threads() -> Callable[[], None]:
    start: Any = threading.Thread.start
    submit: Any = ThreadPoolExecutor.submit
    carrying = True

    @wraps(start)
    def carrying_start(self: threading.Thread) -> None:
        said = AmbientState.capture()
        if not carrying or said == EMPTY or self.name.startswith(_OURS):
            start(self)
            return
        run = _Run(self, said)
        self.run = run  # type: ignore[method-assign]  # whichever class overrides it
        try:
            start(self)
        except BaseException:
            run.put_back()
            raise

    @wraps(submit)
    def carrying_submit(self: ThreadPoolExecutor, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if not carrying:
            given: Future[Any] = submit(self, function, *args, **kwargs)
            return given
        # a pool's threads outlive what is said where they are started, so they begin with nothing
        future: Future[Any] = EMPTY.run(submit, self, AmbientState.capture().run, function, *args, **kwargs)
        return future

    threading.Thread.start = carrying_start  # type: ignore[method-assign]  # that is the point
    ThreadPoolExecutor.submit = carrying_submit  # type: ignore[assignment,method-assign]

    def undo() -> None:
        nonlocal carrying
        carrying = False  # somebody may have wrapped them again
        if threading.Thread.start is carrying_start:
            threading.Thread.start = start  # type: ignore[method-assign]  # as it was
        if ThreadPoolExecutor.submit is carrying_submit:
            ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]

    return undo


def _carry_into_greenlets() -> Callable[[], None]:
    carrying = True

    def carry_into(greenlet: Any) -> None:
        said = AmbientState.capture()
        if greenlet.gr_context is None and said != EMPTY:
            holding = Context()  # as empty as a greenlet's is by itself
            holding.run(said.activate)
            greenlet.gr_context = holding

    def imported(gevent: Any) -> None:
        if carrying:
            gevent.Greenlet.add_spawn_callback(carry_into)

    wrapt.register_post_import_hook(imported, _GREENLETS)

    def undo() -> None:
        nonlocal carrying
        carrying = False
        if _GREENLETS in sys.modules:
            sys.modules[_GREENLETS].Greenlet.remove_spawn_callback(carry_into)

    return undo


class _Run:
    """A thread's ``run``, once: then the thread has its own again."""

    __slots__ = ("_given", "_said", "_thread")

    def __init__(self, thread: threading.Thread, said: AmbientState) -> None:
        self._given = vars(thread).get("run")
        self._thread = thread
        self._said = said

    def __call__(self) -> None:
        self.put_back()
        self._said.run(self._thread.run)

    def put_back(self) -> None:
        if self._given is None:
            vars(self._thread).pop("run", None)
        else:
            vars(self._thread)["run"] = self._given
