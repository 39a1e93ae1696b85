"""Counts of everything lost, and why: every drop and every internal failure, by a reason from a closed set."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

from specspan._support import process
from specspan._support.process import Undo

Watcher: TypeAlias = Callable[[str, str, int], None]


class DropCounts:
    """Losses of one process by kind and reason."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a finaliser that the garbage collector runs while it is held may count, too
        self._counts: Counter[tuple[str, str]] = Counter()
        self._watchers: list[Watcher] = []
        process.after_fork(self)

    def count(self, kind: str, reason: str, n: int = 1) -> None:
        """Count ``n`` things of a kind (``decision``, ``finding``, ``internal``, …) lost for ``reason``."""
        with self._lock:
            self._counts[kind, reason] += n
            watchers = tuple(self._watchers)
        for watch in watchers:
            watch(kind, reason, n)

    def totals(self) -> dict[tuple[str, str], int]:
        """Return everything lost by this process so far, by kind and reason."""
        with self._lock:
            return dict(self._counts)

    def watch(self, watcher: Watcher) -> Undo:
        """Call ``watcher`` with every loss from now on, until the undo that is returned is called."""
        with self._lock:
            self._watchers.append(watcher)

        def stop() -> None:
            with self._lock:
                self._watchers.remove(watcher)

        return Undo(stop)

    def after_fork(self) -> None:
        """Take a new lock: a thread of the parent may have held the old one."""
        self._lock = threading.RLock()


_of_this_process = DropCounts()
count = _of_this_process.count
totals = _of_this_process.totals
watch = _of_this_process.watch
