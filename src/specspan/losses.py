"""What was lost, and why: every drop and every internal failure is counted here, by a reason from a closed set."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

_lock = threading.Lock()
_counts: Counter[tuple[str, str]] = Counter()
_watchers: list[Callable[[str, str, int], None]] = []


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
