"""Threads that deliver a ledger to backends while the application runs: the ledger is their queue.

Each backend has a thread, which follows the streams of this process, and those that ended before. An outage costs
nothing but time: the thread tries again, ever more seldom, for as long as the ledger's cap allows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from specspan._support import process
from specspan._support.alarm import Alarm
from specspan._support.background import start_thread
from specspan._support.guard import guard
from specspan.errors import StoreError
from specspan.ledger import ledger_files as files
from specspan.ledger.delivery import Backend, Delivery
from specspan.ledger.stream_files import stream_names

_log = logging.getLogger("specspan")
_INTERVAL_S: Final = 0.5
_LONGEST_S: Final = 30.0
_QUARANTINE_S: Final = 300.0
"""Time after which a backend whose errors are not temporary is left alone for longer."""
_QUARANTINED_DELAY_S: Final = 300.0
_LOOK_S: Final = 60.0
"""Time between two looks for streams that other processes left."""


class Shipper:
    """Thread that delivers to one backend, which the first record starts."""

    def __init__(self, folder: Path, name: str, backend: Backend, own_streams: Callable[[], Sequence[str]]) -> None:
        """Start no thread yet; ``own_streams`` returns the streams of this process."""
        self._folder, self.name, self._backend, self._own_streams = folder, name, backend, own_streams
        self._is_closing = False
        self._begin()
        process.after_fork(self)

    def _begin(self) -> None:
        self._delivery = Delivery(self._folder, self.name, self._backend)
        self._alarm = Alarm()
        self._thread: threading.Thread | None = None
        self._flushes: list[threading.Event] = []
        self._delay_s = _INTERVAL_S
        self._failing_since_s: float | None = None
        self._is_quarantined = False
        self._left: list[str] = []
        self._looked_s: float | None = None

    @property
    def outage_s(self) -> float:
        """Return the seconds for which the backend has not taken what there is; 0 while it does."""
        since_s = self._failing_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def start(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is None and not self._is_closing:
            thread = threading.Thread(target=self._run, name=f"specspan-ship-{self.name}", daemon=True)
            self._thread = thread
            if not start_thread(thread, "the ledger is delivered when it is flushed"):
                self._thread = None

    def flush(self) -> threading.Event:
        """Ask for everything written so far to be delivered; the event is set when the backend acknowledged it."""
        event = threading.Event()
        self._flushes.append(event)
        self.start()
        if self._thread is None:
            self._round()
        self._alarm.ring()
        return event

    def close(self) -> None:
        """Have the thread deliver what there is, once more, and end."""
        self._is_closing = True
        self._alarm.ring()

    def shutdown(self, timeout_s: float) -> None:
        """Wait until the thread has ended; what the backend does not have then stays for the next start."""
        self.close()
        thread = self._thread
        if thread is None:
            self._finish()
        else:
            thread.join(timeout_s)

    def after_fork(self) -> None:
        """Leave the parent what it delivers."""
        self._delivery.abandon()
        self._begin()

    def _run(self) -> None:
        while not self._is_closing:
            self._alarm.wait(self._delay_s)
            with guard("ledger.ship"):
                self._round()
        self._finish()

    def _finish(self) -> None:
        with guard("ledger.ship.last"):
            self._round()
            self._delivery.close()
        with guard("ledger.ship.close"):
            self._backend.shutdown()

    def _round(self) -> None:
        """Deliver what is new; after a failure wait longer before the next time."""
        flushes, self._flushes = self._flushes, []
        try:
            own = [self._delivery.deliver(stream) for stream in self._delivery.undelivered(self._own_streams())]
            for stream in self._left_streams():
                self._delivery.deliver(stream)
        except Exception as error:
            self._flushes += flushes
            self._note_failure(error)
            return
        if self._failing_since_s is not None:
            _log.warning("%s takes decisions again, and has them all", self.name)
        self._failing_since_s, self._delay_s, self._is_quarantined = None, _INTERVAL_S, False
        if not all(own):  # `specspan ledger ship` is at it
            self._flushes += flushes
            return
        for event in flushes:
            event.set()

    def _note_failure(self, error: Exception) -> None:
        asked_s = getattr(error, "retry_after_s", None)
        self._delay_s = min(2 * self._delay_s, _LONGEST_S) if asked_s is None else float(asked_s)
        if self._failing_since_s is None:  # once an outage
            self._failing_since_s = time.monotonic()
            _log.warning("%s does not take decisions; the ledger keeps them: %r", self.name, error)
        if getattr(error, "is_temporary", False) or self.outage_s < _QUARANTINE_S:
            return
        self._delay_s = max(self._delay_s, _QUARANTINED_DELAY_S)
        if not self._is_quarantined:
            self._is_quarantined = True
            minutes = _QUARANTINED_DELAY_S / 60
            _log.error("%s stays broken, and is tried every %.0f minutes from now on: %r", self.name, minutes, error)

    def _left_streams(self) -> list[str]:
        """Return the streams of processes that are gone, as far as the backend does not have them."""
        if self._looked_s is None or time.monotonic() - self._looked_s >= _LOOK_S:
            self._looked_s = time.monotonic()
            try:
                names = self._delivery.undelivered(stream_names(self._folder))
            except StoreError:  # nothing was written yet
                names = []
            self._left = [name for name in names if not files.is_written_to(self._folder, name)]
        self._left = self._delivery.undelivered(self._left)
        return self._left
