"""Bounded queue with one background writer.

Putting costs the caller an append: no lock is taken, so a finaliser that the garbage collector runs in the middle of
another put cannot deadlock. Handed over = written + dropped, exactly, and every drop is counted in `drop_counts`.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from specspan._support import drop_counts, process
from specspan._support.alarm import Alarm
from specspan._support.background import start_thread
from specspan._support.guard import guard

T = TypeVar("T")


class Flush(threading.Event):
    """Event that stands in a queue behind the items that must be written before it is set."""

    def __init__(self, losses: int) -> None:
        """Begin to wait; ``losses`` is the number of times that the worker had dropped something until now."""
        super().__init__()
        self._losses = losses
        self._is_whole = False

    def finish(self, losses: int) -> None:
        """Set the event; ``losses`` is that number now."""
        self._is_whole = losses == self._losses
        self.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Return True once all was written; False where some of it was dropped, or after ``timeout`` seconds."""
        return super().wait(timeout) and self._is_whole


class BatchWorker(Generic[T]):
    """Queue whose items a daemon thread, which the first item starts, writes in order and in batches."""

    def __init__(
        self,
        kind: str,
        write: Callable[[Sequence[T]], None],
        *,
        queue_size: int = 16_384,
        batch_size: int = 512,
        interval_s: float = 0.5,
        on_close: Callable[[], None] = lambda: None,
        on_fork: Callable[[], None] = lambda: None,
        kind_of: Callable[[T], str] | None = None,
    ) -> None:
        """Start no thread yet.

        Args:
            kind: the kind of item, in loss counts and in the thread's name.
            write: writes a batch; called by one thread at a time.
            queue_size: items that may wait before further ones are dropped.
            batch_size: the most items of a batch; that many waiting wake the thread early.
            interval_s: the longest an item waits for its batch to fill.
            on_close: called once, after the last batch.
            on_fork: called in a forked child, whose queue starts empty.
            kind_of: returns the kind of an item in loss counts, where not all are of ``kind``.
        """
        self._kind = kind
        self._write = write
        self._queue_size = queue_size
        self._batch_size = batch_size
        self._interval_s = interval_s
        self._on_close = on_close
        self._on_fork = on_fork
        self._kind_of = kind_of
        self._queue: deque[T | Flush] = deque()
        self._closed = False
        self._losses = 0
        """Number of times that something was dropped of what was queued."""
        self._reset()
        process.after_fork(self)

    def put(self, item: T) -> None:
        """Queue an item; drop it, counted, when the queue is full or the worker closed.

        Never wait, unless there is no thread to be had: then write it at once.
        """
        if self._close_requested.is_set():
            self._count_drops("shutdown", (item,))
            return
        queue = self._queue
        length = len(queue)
        if length >= self._queue_size:
            self._count_drops("queue_full", (item,))
            return
        queue.append(item)
        if self._thread is None or length + 1 >= self._batch_size:
            self._wake_thread()
            if self._thread is None:
                self._write_queued()
        if self._closed:  # closed between the first line and the append: nobody else will look
            self._drop_queued()

    @contextmanager
    def drain(self) -> Iterator[None]:
        """Write everything queued so far, on the caller's thread; write nothing further inside the block.

        Only for a ``write`` that does not wait.
        """
        with self._writing:
            while self._queue:
                self._write_batch()
            yield

    def flush(self) -> Flush:
        """Ask for everything queued so far to be written soon; the event is set when it was written or dropped."""
        last = self._last_item()
        if isinstance(last, Flush):  # flushing a consumer that hangs, again and again, must not fill its queue
            return last
        marker = Flush(self._losses)
        if last is None and self._thread is None:
            marker.finish(self._losses)
            return marker
        self._queue.append(marker)
        self._flush_requested = True
        self._wake_thread()
        if self._thread is None:
            self._write_queued()
        if self._closed:
            self._drop_queued()
        return marker

    def note_loss(self) -> None:
        """Say that some of what is being written was dropped: a flush that waits for it did not succeed."""
        self._losses += 1

    def close(self) -> None:
        """Take no more items, and have what is queued written soon."""
        self._close_requested.set()
        self._flush_requested = True
        self._wake.ring()

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
            with self._ending:  # another thread may have had less patience
                if thread.is_alive() and self._in_flight and not self._given_up.is_set():
                    self._count_drops("shutdown", self._in_flight)
                    self.note_loss()
                self._given_up.set()
        self._closed = True
        self._drop_queued()

    def after_fork(self) -> None:
        """Start anew: in a forked child the parent's thread is gone, and the parent's items are the parent's."""
        self._reset()
        self._on_fork()

    @property
    def queue_length(self) -> int:
        """Number of queued items."""
        return len(self._queue)

    @property
    def close_requested(self) -> threading.Event:
        """Event that is set once the worker is being closed; a ``write`` that retries waits on it."""
        return self._close_requested

    @property
    def given_up(self) -> threading.Event:
        """Event that is set when `shutdown` waits no longer: what is being written then counts as dropped."""
        return self._given_up

    @property
    def is_on_own_thread(self) -> bool:
        """True on the background thread, on which nobody waits."""
        return threading.current_thread() is self._thread

    def _reset(self) -> None:
        self._queue.clear()
        self._close_requested = threading.Event()
        if self._closed:
            self._close_requested.set()
        self._given_up = threading.Event()
        self._wake = Alarm()
        self._writing = threading.RLock()
        self._starting = threading.RLock()
        self._ending = threading.RLock()
        self._thread: threading.Thread | None = None
        self._flush_requested = False
        self._in_flight: Sequence[T] = ()

    def _wake_thread(self) -> None:
        if self._thread is None:
            self._start_thread()
        elif not self._wake.is_ringing:
            self._wake.ring()

    def _start_thread(self) -> None:
        with self._starting:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name=f"specspan-{self._kind}", daemon=True)
            self._thread = thread
            if not start_thread(thread, "records are written by those who make them"):
                self._thread = None

    def _run(self) -> None:
        # an item wakes nobody unless it fills a batch: who wakes a thread must share the interpreter with it
        while not self._close_requested.is_set():
            is_idle = len(self._queue) < self._batch_size and not self._flush_requested
            self._wake.wait(self._interval_s if is_idle else 0.0)
            self._flush_requested = False
            self._write_queued()
        self._finish()

    def _finish(self) -> None:
        self._write_queued()
        with guard(f"record.{self._kind}.close"):
            self._on_close()

    def _write_queued(self) -> None:
        with self.drain():
            pass

    def _write_batch(self) -> None:
        batch, marker = self._next_batch()
        self._in_flight = batch
        try:
            if batch:
                with guard(f"record.{self._kind}"):
                    self._write_or_count(batch)
        finally:
            self._in_flight = ()
            if marker is not None:
                marker.finish(self._losses)

    def _write_or_count(self, batch: Sequence[T]) -> None:
        try:
            self._write(batch)
        except Exception:
            self._count_drops("internal", batch)
            self.note_loss()
            raise

    def _next_batch(self) -> tuple[list[T], Flush | None]:
        batch: list[T] = []
        for item in self._pop_all():
            if isinstance(item, Flush):
                return batch, item
            batch.append(item)
            if len(batch) >= self._batch_size:
                break
        return batch, None

    def _drop_queued(self) -> None:
        for item in self._pop_all():
            if isinstance(item, Flush):
                item.finish(self._losses)
            else:
                self._count_drops("shutdown", (item,))
                self.note_loss()

    def _count_drops(self, reason: str, items: Sequence[T]) -> None:
        kinds = {self._kind: len(items)} if self._kind_of is None else Counter(map(self._kind_of, items))
        for kind, count in kinds.items():
            drop_counts.count(kind, reason, count)

    def _last_item(self) -> T | Flush | None:
        try:
            return self._queue[-1]
        except IndexError:
            return None

    def _pop_all(self) -> Iterator[T | Flush]:
        """Yield items taken from the queue until it is empty; whoever takes one answers for it."""
        while True:
            try:
                item = self._queue.popleft()
            except IndexError:
                return
            yield item
