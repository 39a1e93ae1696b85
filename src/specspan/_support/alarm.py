"""Alarm that wakes a thread, made of nothing that an interruption can leave half done.

`threading.Event` and `threading.Condition` take and release their lock in Python: an exception that a signal's handler
raises in between leaves the lock taken for good, and whoever needs it next waits for ever.
"""

from __future__ import annotations

import contextlib
import threading


class Alarm:
    """Alarm that any thread rings and one thread waits for."""

    __slots__ = ("_silence",)

    def __init__(self) -> None:
        self._silence = threading.Lock()  # held while nobody rang
        self._silence.acquire()

    @property
    def is_ringing(self) -> bool:
        """Return True if the alarm rang and nobody has waited since."""
        return not self._silence.locked()

    def ring(self) -> None:
        """Wake the thread that waits, or the next one that does."""
        with contextlib.suppress(RuntimeError):  # it rings already
            self._silence.release()

    def wait(self, timeout_s: float) -> None:
        """Wait until the alarm rings, or for so long; then it is silent."""
        self._silence.acquire(timeout=min(timeout_s, threading.TIMEOUT_MAX))
