"""Worker threads for checks with a time limit.

A thread cannot be killed: one whose check outlives its limit is abandoned, and another takes its place. How many may
hang at once is bounded; past that, checks are refused rather than left to eat the process. All threads are daemons:
none of them delays the interpreter's exit.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Sequence

from specspan.engine.batch import Batch, Task
from specspan.guard import guard

MAX_HUNG = 16
"""With so many threads hanging in a check that is out of time, no more checks are started until one returns."""
MAX_BUSY = 64
"""Threads at work at once; beyond, a batch waits its turn."""
PATIENCE_S = 1.0
"""A batch that no thread took up in this time is refused."""
IDLE_S = 30.0
"""A thread without work ends after this time."""


class Workers:
    """A pool of daemon threads that grows on demand."""

    def __init__(self, *, max_hung: int = MAX_HUNG, max_busy: int = MAX_BUSY, patience_s: float = PATIENCE_S) -> None:
        self._max_hung = max_hung
        self._max_busy = max_busy
        self._patience_s = patience_s
        self._start_afresh()
        _pools.add(self)

    @property
    def hung(self) -> int:
        """Threads whose check is out of time and has not returned."""
        return self._hung

    def submit(self, tasks: Sequence[Task]) -> Batch | None:
        """Hand ``tasks`` to one thread, to be run in sequence; None when too many threads hang already."""
        batch = Batch(tasks, self._patience_s, self._one_hangs)
        with self._changed:
            if self._hung >= self._max_hung:
                return None
            self._queue.append(batch)
            if self._idle >= len(self._queue):
                self._changed.notify()
            elif self._threads < self._max_busy:
                self._start_thread()
        return batch

    def _start_thread(self) -> None:
        with contextlib.suppress(RuntimeError):  # no thread to be had: the batch waits its turn
            threading.Thread(target=self._serve, name="specspan-check", daemon=True).start()
            self._threads += 1

    def _serve(self) -> None:
        while (batch := self._next()) is not None:
            if batch.take():
                with guard("engine.worker"):
                    batch.perform()
            if batch.hung:  # it was given up, and its place taken; now it did return
                with self._changed:
                    self._hung -= 1
                return

    def _next(self) -> Batch | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._queue, IDLE_S)
            self._idle -= 1
            if self._queue:
                return self._queue.popleft()
            self._threads -= 1
            return None

    def _one_hangs(self) -> None:
        with self._changed:
            self._threads -= 1
            self._hung += 1

    def _start_afresh(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[Batch] = deque()
        self._threads = 0
        self._idle = 0
        self._hung = 0


def _after_fork() -> None:
    """A child has none of its parent's threads, and its locks may be held by one of them."""
    for pool in tuple(_pools):
        pool._start_afresh()


_pools: weakref.WeakSet[Workers] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

WORKERS = Workers()
"""The pool that engines share."""
