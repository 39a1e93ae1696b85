"""Thread that flushes and shuts down one OpenTelemetry provider, so that nobody waits for it longer than they mean to.

OpenTelemetry's providers take a timeout and may exceed it by far: a batch is tried again for ten seconds, and a flush
of log records goes on as long as its own failures are logged into the queue that it empties.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from typing import Any, TypeAlias

from specspan._support import drop_counts, process
from specspan._support.background import start_thread
from specspan._support.guard import guard
from specspan._support.otel_private import shuts_down_at_exit

_Call: TypeAlias = "tuple[Callable[[], object], Future[bool]]"


class FailedExports:
    """Number of batches that exporters could not hand over; a flush of OpenTelemetry's processors does not tell.

    What is in them is counted in `specspan.dropped` as `export_failed`. Metrics are not: the next batch has their sums.
    """

    def __init__(self) -> None:
        self.count = 0

    def watch(self, exporter: Any, kind: str | None = None) -> None:
        """Count from now on what an exporter that was made here fails to hand over, as losses of a kind."""
        export = getattr(exporter, "export", None)
        if export is None:  # a reader of metrics that others collect
            return

        def watched(*arguments: Any, **options: Any) -> Any:
            is_done = False
            try:
                result = export(*arguments, **options)
                is_done = getattr(result, "name", None) != "FAILURE"
                return result
            finally:
                self.count += not is_done
                if kind is not None and not is_done and arguments:
                    drop_counts.count(kind, "export_failed", len(arguments[0]))

        with guard("runtime.watch_exporter"):
            exporter.export = watched


class ProviderThread:
    """Daemon thread that makes the calls of one provider, one after another.

    It waits from the beginning: from Python 3.12, no thread can be started once the interpreter is going down.
    """

    def __init__(self, signal: str, provider: Any, failed: FailedExports, *, is_owned: bool) -> None:
        """Start the thread, which is named after ``signal``; a provider that is not owned is never shut down."""
        self._failed = failed
        self._signal = signal
        self._provider = provider
        self._is_owned = is_owned
        self._closed = False
        self._waiting_flush: Future[bool] | None = None
        self.after_fork()
        process.after_fork(self)

    def flush(self, timeout_s: float) -> Future[bool]:
        """Have the provider flushed; where a flush waits to begin already, return that one's future."""
        waiting = self._waiting_flush
        if waiting is None or waiting.running() or waiting.done():
            waiting = self._submit(lambda: self._flush(timeout_s))
            self._waiting_flush = waiting
        return waiting

    def finish(self, timeout_s: float, *, at_exit: bool) -> Future[bool]:
        """Have the provider shut down if it is owned, else flushed, and end the thread after that.

        At the end of the process, a provider that is not owned and shuts down by itself is left alone.
        """
        if self._is_owned:
            finished = self._submit(self._provider.shutdown)
        elif at_exit and shuts_down_at_exit(self._provider) and not process.ends_without_atexit():
            finished = Future()
            finished.set_result(True)
        else:
            finished = self.flush(timeout_s)
        self._closed = True
        self._calls.put(None)
        return finished

    def _flush(self, timeout_s: float) -> bool:
        before = self._failed.count
        return self._provider.force_flush(int(timeout_s * 1000)) is not False and self._failed.count == before

    def after_fork(self) -> None:
        """Start anew: in a forked child the parent's thread is gone."""
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._waiting_flush = None
        self._is_running = not self._closed and self._start()

    def _start(self) -> bool:
        thread = threading.Thread(
            target=_make_calls, args=(self._calls,), name=f"specspan-flush-{self._signal}", daemon=True
        )
        return start_thread(thread, "who has providers flushed waits for it")

    def _submit(self, call: Callable[[], object]) -> Future[bool]:
        future: Future[bool] = Future()
        if self._is_running and not self._closed:
            self._calls.put((call, future))
        elif self._closed:
            future.set_result(False)
        else:
            _make_call(call, future)
        return future


def wait_for_calls(futures: Iterable[Future[bool]], deadline_s: float) -> bool:
    """Wait until ``deadline_s`` of the monotonic clock; return True when all calls were made by then and succeeded.

    Raises:
        Exception: whatever a provider raised.
    """
    done, late = wait(futures, max(0.0, deadline_s - time.monotonic()))
    results = [future.result() for future in done]
    return not late and all(results)


def _make_calls(calls: queue.SimpleQueue[_Call | None]) -> None:
    while (item := calls.get()) is not None:
        _make_call(*item)


def _make_call(call: Callable[[], object], future: Future[bool]) -> None:
    future.set_running_or_notify_cancel()
    try:
        future.set_result(call() is not False)  # some of other makes return None
    except Exception as error:  # raised where somebody waits for it
        future.set_exception(error)
