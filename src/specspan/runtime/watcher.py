"""A thread that does the same thing again and again until it is closed."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

from specspan.guard import guard

_CLOSING_S = 1.0


class Watcher:
    """Polls every ``interval_s`` seconds, from a daemon thread of its own; in a forked child from another."""

    def __init__(self, poll: Callable[[], object], interval_s: float) -> None:
        self.poll = poll
        """What is done."""
        self._interval_s = interval_s
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first poll is an interval away."""
        if self._closed.is_set():
            return
        self._thread = threading.Thread(target=self._watch, name="specspan-policy-reload", daemon=True)
        _started.add(self)
        self._thread.start()

    def close(self) -> None:
        """End, and wait a moment for a poll that is under way. It may be called from within one."""
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSING_S)

    def _watch(self) -> None:
        while not self._closed.wait(self._interval_s):
            with guard("runtime.watcher"):
                self.poll()

    def _start_afresh(self) -> None:
        """In a forked child the thread is gone, and the event's lock may have been held by it."""
        closed, self._closed = self._closed.is_set(), threading.Event()
        self._thread = None
        if closed:
            self._closed.set()
        else:
            self.start()


_started: weakref.WeakSet[Watcher] = weakref.WeakSet()


def _after_fork() -> None:
    for watcher in tuple(_started):
        with guard("runtime.watcher.fork"):
            watcher._start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
