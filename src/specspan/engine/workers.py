"""Worker threads for checks with a time limit.

A thread cannot be killed: one whose check outlives its limit is abandoned, and another takes its place. The number of
threads that may hang at once is bounded; past that, checks are refused rather than left to use up the process. All
threads are daemons, so none of them delays the interpreter's exit.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from specspan._support import process
from specspan._support.alarm import Alarm
from specspan._support.background import start_thread
from specspan._support.guard import guard
from specspan.engine.event_loops import make_alarm


@dataclass(frozen=True, slots=True)
class Task:
    """Check to run, with its time limit."""

    work: Callable[[], Any]
    """Must not raise: a failure is part of its result."""
    timeout_s: float
    work_on_caller: Callable[[], Any] | None = None
    """The same for the caller's thread: raises what interrupts that. None: as ``work``."""

    def work_here(self) -> Any:
        """Run the check on the caller's thread and return its result."""
        return (self.work_on_caller or self.work)()


class Batch:
    """Tasks that one worker thread runs in sequence for one waiting caller: a `specspan.engine.waiting.Job`.

    The worker calls `start` and `run`, the caller everything else. Every change of state happens under one lock, so
    that a task either came back in time or did not, never both.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        patience_s: float,
        on_hung: Callable[[], None],
        context: contextvars.Context | None = None,
    ) -> None:
        """Prepare a batch.

        Args:
            tasks: to be run in this order.
            patience_s: seconds that the batch may wait for a thread.
            on_hung: called at most once, with a lock held.
            context: context variables that the tasks see; by default a copy of those of the caller.
        """
        self.results: list[Any] = []
        """Results of the tasks that came back in time, in order."""
        self.is_started = False
        """True once a thread has started the batch."""
        self.is_hung = False
        """True if that thread was still at work when the time was up."""
        self._tasks = tasks
        self._on_hung = on_hung
        self._context = contextvars.copy_context() if context is None else context
        self._lock = process.ForkedLock()
        self._caller_waits = True
        self._deadline_s = time.monotonic() + patience_s
        self._wake: Callable[[], None] = lambda: None

    def wait(self) -> None:
        """Wait until every task is done or one is out of time; later results are ignored."""
        alarm = Alarm()
        try:
            with self._lock.held:
                self._wake = alarm.ring
            while left_s := self._left_s():
                alarm.wait(left_s)
        finally:
            with self._lock.held:
                self._caller_waits = False

    async def wait_async(self) -> None:
        """Wait as `wait` does, without blocking the event loop."""
        alarm = make_alarm()
        try:
            with self._lock.held:
                self._wake = alarm.ring
            while left_s := self._left_s():
                await alarm.wait(left_s)
        finally:
            with self._lock.held:
                self._caller_waits = False

    def start(self) -> bool:
        """Mark the batch as started and return True, or return False when nobody waits for it any more."""
        with self._lock.held:
            self.is_started = self._caller_waits
            return self.is_started

    def run(self) -> None:
        """Run the tasks on this thread, as long as the caller waits for them."""
        for task in self._tasks:
            if not self._start_clock(task) or not self._add_result(self._context.run(task.work)):
                return

    def run_here(self) -> None:
        """Run the tasks on the caller's thread. One that took too long is out of time only afterwards."""
        self._caller_waits = False
        self.is_started = True
        for task in self._tasks:
            started_s = time.monotonic()
            result = task.work_here()
            if time.monotonic() - started_s > task.timeout_s:
                return
            self.results.append(result)

    def _start_clock(self, task: Task) -> bool:
        with self._lock.held:
            before_s, self._deadline_s = self._deadline_s, time.monotonic() + task.timeout_s
            if self._deadline_s < before_s:
                self._wake()
            return self._caller_waits

    def _add_result(self, result: Any) -> bool:
        with self._lock.held:
            if not self._caller_waits:
                return False
            self.results.append(result)
            if len(self.results) == len(self._tasks):
                self._caller_waits = False
                self._wake()
            return True

    def _left_s(self) -> float:
        """Return the seconds until the current task is out of time; 0 settles the batch for good."""
        with self._lock.held:
            left_s = self._deadline_s - time.monotonic() if self._caller_waits else 0.0
            if left_s > 0:
                return left_s
            if self._caller_waits:
                self._caller_waits = False
                self.is_hung = self.is_started
                if self.is_hung:
                    self._on_hung()
            return 0.0


MAX_HUNG = 16
"""Most threads that may hang in a check that is out of time; no more checks are started until one returns."""
MAX_BUSY = 64
"""Most threads at work at once; beyond, a batch waits its turn."""
PATIENCE_S = 1.0
"""Seconds after which a batch that no thread has started is refused."""
IDLE_S = 30.0
"""Seconds after which a thread without work ends."""


class Workers:
    """Pool of daemon threads that grows on demand."""

    def __init__(self, *, max_hung: int = MAX_HUNG, max_busy: int = MAX_BUSY, patience_s: float = PATIENCE_S) -> None:
        self._max_hung = max_hung
        self._max_busy = max_busy
        self._patience_s = patience_s
        self.after_fork()
        process.after_fork(self)

    @property
    def hung_threads(self) -> int:
        """Number of threads whose check is out of time and has not returned."""
        return self._hung

    def submit(self, tasks: Sequence[Task], context: contextvars.Context | None = None) -> Batch | None:
        """Queue ``tasks`` for one thread, to be run in sequence; return None when too many threads hang already.

        Where there is no thread at all, and none to be had, they have run on the caller's. ``context``: context
        variables that they see; by default a copy of those of the caller.
        """
        batch = Batch(tasks, self._patience_s, self._count_hung_thread, context)
        with self._lock:  # not by its condition, which an interruption could leave locked
            if self._hung >= self._max_hung:
                return None
            self._queue.append(batch)
            if self._idle >= len(self._queue):
                self._changed.notify()
            elif self._threads < self._max_busy:
                self._start_thread()
            is_stranded = self._threads == 0
            if is_stranded:
                self._queue.remove(batch)
        if is_stranded:
            batch.run_here()
        return batch

    def _start_thread(self) -> None:
        self._threads += 1
        thread = threading.Thread(target=self._serve, name="specspan-check", daemon=True)
        if not start_thread(thread, "checks with a time limit run on the caller's"):
            self._threads -= 1

    def _serve(self) -> None:
        while (batch := self._next()) is not None:
            if batch.start():
                with guard("engine.worker"):
                    batch.run()
            if batch.is_hung:  # another thread has taken this one's place
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

    def _count_hung_thread(self) -> None:
        with self._changed:
            self._threads -= 1
            self._hung += 1

    def after_fork(self) -> None:
        """Start anew: a child has none of its parent's threads, and its locks may be held by one of them."""
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queue: deque[Batch] = deque()
        self._threads = 0
        self._idle = 0
        self._hung = 0


WORKERS = Workers()
"""Pool that engines share."""
