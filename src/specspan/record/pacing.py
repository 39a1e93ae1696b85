"""Pauses of background threads, so that a thread that makes calls gets the interpreter lock when it asks for it.

The interpreter takes its lock from a thread that computes only after 5 ms (`sys.getswitchinterval`), so an event loop
that wakes meanwhile is late by as much.
"""

from __future__ import annotations

import time

_WORK_S = 0.0005
_PAUSE_S = 0.0001  # long enough for the operating system to wake whoever waits for the lock


class Pacer:
    """Clock of one piece of background work, which pauses after each half of a millisecond."""

    __slots__ = ("_since_s",)

    def __init__(self) -> None:
        self._since_s = time.perf_counter()

    def pause_if_due(self) -> None:
        """Give the interpreter lock away if this thread has had it for long enough; called after every small step."""
        if time.perf_counter() - self._since_s >= _WORK_S:
            time.sleep(_PAUSE_S)
            self._since_s = time.perf_counter()
