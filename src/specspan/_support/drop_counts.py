"""What was lost, and why: every drop and every internal failure is counted here, by a reason from a closed set."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable

_lock = threading.RLock()  # a finaliser that the garbage collector runs while it is held may count, too
_counts: Counter[tuple[str, str]] = Counter()
_watchers: list[Callable[[str, str, int], None]] = []


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # another thread of the parent may have held it
    os.register_at_fork(after_in_child=_renew_lock)


def count(what: str, reason: str, n: int = 1) -> None:
    """Count ``n`` things of kind ``what`` (``decision``, ``finding``, ``internal``, …) lost for ``reason``."""
    with _lock:
        _counts[what, reason] += n
        watchers = tuple(_watchers)
    for watch in watchers:
        watch(what, reason, n)


def totals() -> dict[tuple[str, str], int]:
    """Everything lost by this process so far, by (what, reason)."""
    with _lock:
        return dict(_counts)


def watch(watcher: Callable[[str, str, int], None]) -> Callable[[], None]:
    """Tell ``watcher`` of every loss from now on; call what is returned to stop."""
    with _lock:
        _watchers.append(watcher)

    def stop() -> None:
        with _lock:
            if watcher in _watchers:
                _watchers.remove(watcher)

    return stop
