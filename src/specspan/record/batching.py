"""A lane: one consumer's bounded queue and the thread that empties it.

Putting costs the caller an append: no lock is taken, so a finaliser that the garbage collector runs in the middle of
another put cannot deadlock. Handed over = written + dropped, exactly, and every drop is counted in `drop_counts`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from specspan._support import drop_counts
from specspan._support.guard import guard

T = TypeVar("T")

_lanes: weakref.WeakSet[BatchWorker[object]] = weakref.WeakSet()


class BatchWorker(Generic[T]):
    """Hands what is put to ``write``, in order and in batches, from a daemon thread that the first item starts."""

    def __init__(
        self,
        what: str,
        write: Callable[[Sequence[T]], None],
        *,
        queue_size: int = 16_384,
        batch_size: int = 512,
        interval_s: float = 0.5,
        on_close: Callable[[], None] = lambda: None,
        on_fork: Callable[[], None] = lambda: None,
    ) -> None:
        self._what = what
        self._write = write
        self._queue_size = queue_size
        self._batch_size = batch_size
        self._interval_s = interval_s
        self._on_close = on_close
        self._on_fork = on_fork
        self._queue: deque[T | _Marker] = deque()
        self._closed = False
        self._reset()
        _lanes.add(self)  # type: ignore[arg-type]  # a set of lanes of anything

    def put(self, item: T) -> None:
        """Queue an item; drop it, counted, when the queue is full or the lane closed. Never waits."""
        if self._close_requested.is_set():
            drop_counts.count(self._what, "shutdown")
            return
        queue = self._queue
        waiting = len(queue)
        if waiting >= self._queue_size:
            drop_counts.count(self._what, "queue_full")
            return
        queue.append(item)
        if self._thread is None or waiting + 1 >= self._batch_size:
            self._wake_thread()
        if self._closed:  # closed between the first line and the append: nobody else will look
            self._drop_queued()

    @contextmanager
    def drain(self) -> Iterator[None]:
        """Write everything queued so far, on the caller's thread; inside, nothing further is written.

        Only for a ``write`` that does not wait.
        """
        with self._writing:
            while self._queue:
                self._write_batch()
            yield

    def flush(self) -> threading.Event:
        """Ask for everything queued so far to be written soon; the event is set when it was written or dropped."""
        last = self._last()
        if isinstance(last, _Marker):  # flushing a consumer that hangs, again and again, must not fill its queue
            return last
        marker = _Marker()
        if last is None and self._thread is None:
            marker.set()
            return marker
        self._queue.append(marker)
        self._hurry = True
        self._wake_thread()
        if self._thread is None:
            self._write_queued()
        if self._closed:
            self._drop_queued()
        return marker

    def close(self) -> None:
        """Take no more items, and have what is queued written soon."""
        self._close_requested.set()
        self._hurry = True
        self._wake.set()

    def shutdown(self, timeout_s: float) -> None:
        """Close, wait until what is queued was written, and count what was not written in time as dropped."""
        if self._closed:
            return
        self.close()
        thread = self._thread
        if thread is None:
            self._finish()
        else:
            thread.join(timeout_s)
            if thread.is_alive() and self._in_flight:
                drop_counts.count(self._what, "shutdown", self._in_flight)
        self._closed = True
        self._drop_queued()

    @property
    def queue_length(self) -> int:
        """How many items are queued."""
        return len(self._queue)

    @property
    def close_requested(self) -> threading.Event:
        """Set once the lane is being closed; a ``write`` that retries waits on it."""
        return self._close_requested

    def _write_queued(self) -> None:
        with self.drain():
            pass

    def _reset(self) -> None:
        """Start anew: in a forked child the parent's thread is gone, and the parent's items are the parent's."""
        self._queue.clear()
        self._close_requested = threading.Event()
        if self._closed:
            self._close_requested.set()
        self._wake = threading.Event()
        self._writing = threading.RLock()
        self._starting = threading.RLock()
        self._thread: threading.Thread | None = None
        self._hurry = False
        self._in_flight = 0

    def _wake_thread(self) -> None:
        if self._thread is None:
            self._start()
        elif not self._wake.is_set():
            self._wake.set()

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name=f"specspan-{self._what}", daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:  # the interpreter is going down: `shutdown` writes what is queued
                self._thread = None

    def _run(self) -> None:
        # an item wakes nobody unless it fills a batch: who wakes a thread must share the interpreter with it
        while not self._close_requested.is_set():
            if len(self._queue) < self._batch_size and not self._hurry:
                self._wake.wait(self._interval_s)
            self._wake.clear()
            self._hurry = False
            self._write_queued()
        self._finish()

    def _finish(self) -> None:
        self._write_queued()
        with guard(f"record.{self._what}.close"):
            self._on_close()

    def _write_batch(self) -> None:
        batch, marker = self._next_batch()
        self._in_flight = len(batch)
        try:
            if batch:
                with guard(f"record.{self._what}"):
                    self._write_or_count(batch)
        finally:
            self._in_flight = 0
            if marker is not None:
                marker.set()

    def _write_or_count(self, batch: Sequence[T]) -> None:
        try:
            self._write(batch)
        except Exception:
            drop_counts.count(self._what, "internal", len(batch))
            raise

    def _next_batch(self) -> tuple[list[T], _Marker | None]:
        batch: list[T] = []
        for item in self._pop_all():
            if isinstance(item, _Marker):
                return batch, item
            batch.append(item)
            if len(batch) >= self._batch_size:
                break
        return batch, None

    def _drop_queued(self) -> None:
        for item in self._pop_all():
            if isinstance(item, _Marker):
                item.set()
            else:
                drop_counts.count(self._what, "shutdown")

    def _last(self) -> T | _Marker | None:
        try:
            return self._queue[-1]
        except IndexError:
            return None

    def _pop_all(self) -> Iterator[T | _Marker]:
        """Items taken from the queue until it is empty; whoever takes one answers for it."""
        while True:
            try:
                item = self._queue.popleft()
            except IndexError:
                return
            yield item


class _Marker(threading.Event):
    """Stands in a queue behind what must be written before it is set."""


def _reset_all() -> None:
    for lane in tuple(_lanes):
        lane._reset()
        lane._on_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all)
