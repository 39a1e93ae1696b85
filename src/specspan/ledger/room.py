"""Room of a ledger: what its folder holds beside its cap, and when somebody should remove what is old or too much."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Final

from specspan.ledger import ledger_files as files
from specspan.ledger.ledger_settings import LedgerSettings

_FIRST_LOOK_S: Final = 60.0
_LOOK_S: Final = 3600.0
_LOOK_FULL_S: Final = 5.0
"""Times until and between looks for segments to remove, usually and while the ledger has little room."""
_NEARLY_FULL: Final = 0.1


class Room:
    """Bytes that a process may still write, beside what it and others wrote."""

    def __init__(self, settings: LedgerSettings, tidy: Callable[[], object]) -> None:
        """Measure the folder; ``tidy`` removes from it what is old, or too much."""
        self._settings = settings
        self._tidy = tidy
        self._elsewhere_bytes = 0
        self._is_full = False
        self._tidied_s = time.monotonic() - _LOOK_S + _FIRST_LOOK_S
        self.measure(0)

    def measure(self, own_bytes: int) -> None:
        """Ask how much of the cap others have used, and streams of this process before the one it writes."""
        with contextlib.suppress(OSError):
            self._elsewhere_bytes = files.folder_size(self._settings.folder) - own_bytes
        self._measured_s = time.monotonic()

    def measure_if_due(self, own_bytes: int) -> None:
        """Measure once a heartbeat."""
        if time.monotonic() - self._measured_s >= self._settings.heartbeat_s:
            self.measure(own_bytes)

    def leave(self, own_bytes: int) -> None:
        """Count a stream as one that others have written."""
        self._elsewhere_bytes += own_bytes

    def left_bytes(self, own_bytes: int) -> int:
        """Return the bytes that may still be written; below 0 there is no room."""
        return self._settings.cap_bytes - self._elsewhere_bytes - own_bytes

    def check(self, own_bytes: int) -> None:
        """Raise where there is no room.

        Raises:
            CapReached: the folder is as large as it may be.
        """
        if self.left_bytes(own_bytes) < 0:
            self._is_full = True
            raise files.CapReached(0, f"the ledger has reached its cap of {self._settings.cap_bytes} bytes")

    def tidy_if_due(self, own_bytes: int) -> None:
        """Have the folder tidied now and then, and soon where there is little room."""
        now_s = time.monotonic()
        is_nearly_full = self._is_full or self.left_bytes(own_bytes) < self._settings.cap_bytes * _NEARLY_FULL
        if now_s - self._tidied_s >= (_LOOK_FULL_S if is_nearly_full else _LOOK_S):
            self._tidied_s, self._is_full = now_s, False
            self._tidy()
            self.measure(own_bytes)
