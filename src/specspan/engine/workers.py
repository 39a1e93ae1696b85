"""Worker threads for checks with a time limit.

A thread cannot be killed: one whose check outlives its limit is abandoned, and another takes its place. How many may
hang at once is bounded; past that, checks are refused rather than left to eat the process. All threads are daemons:
none of them delays the interpreter's exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from specspan._support.guard import guard

# MERGED batch: A batch: checks with time limits that one worker thread runs in sequence for one waiting caller.


@dataclass(frozen=True, slots=True)
class Task:
    """One check to run."""

    work: Callable[[], Any]
    """Must not raise: what goes wrong is part of its result."""
    timeout_s: float


class Batch:
    """A `specspan.engine.waiting.Job`. The worker's side is `take` and `perform`, the caller's side everything else.

    Every change of state happens under one lock, so that a task either came back in time or did not, never both.
    """

    def __init__(self, tasks: Sequence[Task], patience_s: float, on_hung: Callable[[], None]) -> None:
        """``patience_s``: how long it may wait for a thread; ``on_hung`` is called at most once, with a lock held."""
        self.results: list[Any] = []
        """Results of the tasks that came back in time, in order."""
        self.taken = False
        """Whether a thread took it up."""
        self.hung = False
        """Whether that thread was still at work when the time was up."""
        self._tasks = tasks
        self._on_hung = on_hung
        self._context = contextvars.copy_context()
        self._changed = threading.Condition()
        self._wanted = True  # the caller still waits
        self._deadline_s = time.monotonic() + patience_s
        self._wake: Callable[[], None] = lambda: None

    def wait(self) -> None:
        """Wait until every task is done or one is out of time; after that nothing more comes in."""
        with self._changed:
            try:
                while left_s := self._left_s():
                    self._changed.wait(left_s)
            finally:
                self._wanted = False

    async def wait_async(self) -> None:
        """As `wait`, without blocking the event loop."""
        loop = asyncio.get_running_loop()
        changed: asyncio.Future[None] = loop.create_future()

        def finish() -> None:
            if not changed.done():
                changed.set_result(None)

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(finish)

        with self._changed:
            self._wake = wake
        try:
            while left_s := self._left_s():
                await asyncio.wait((changed,), timeout=left_s)
                if changed.done():
                    changed = loop.create_future()
        finally:
            with self._changed:
                self._wanted = False

    def take(self) -> bool:
        """Start it. False when nobody waits for it any more."""
        with self._changed:
            self.taken = self._wanted
            return self.taken

    def perform(self) -> None:
        """Run the tasks on this thread, as long as somebody waits for them."""
        for task in self._tasks:
            if not self._begin(task) or not self._accept(self._context.run(task.work)):
                return

    def _begin(self, task: Task) -> bool:
        with self._changed:
            before_s, self._deadline_s = self._deadline_s, time.monotonic() + task.timeout_s
            if self._deadline_s < before_s:
                self._tell()
            return self._wanted

    def _accept(self, result: Any) -> bool:
        with self._changed:
            if not self._wanted:
                return False
            self.results.append(result)
            if len(self.results) == len(self._tasks):
                self._wanted = False
                self._tell()
            return True

    def _tell(self) -> None:
        """The caller waits for something else now."""
        self._changed.notify_all()
        self._wake()

    def _left_s(self) -> float:
        """Time until the current task is out of time; 0 when settled, which it is from then on."""
        with self._changed:
            left_s = self._deadline_s - time.monotonic() if self._wanted else 0.0
            if left_s > 0:
                return left_s
            if self._wanted:
                self._wanted = False
                self.hung = self.taken
                if self.hung:
                    self._on_hung()
            return 0.0


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
