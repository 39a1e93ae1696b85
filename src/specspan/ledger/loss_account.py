"""Account of the records that a process could not write, by reason."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from specspan._support import drop_counts
from specspan.ledger.ledger_entry import DECISION, Entry

_log = logging.getLogger("specspan")


class LossAccount:
    """Account of losses of one writer, which logs when a disk begins to fail and when it is back."""

    def __init__(self, folder: Path) -> None:
        self.lost: Counter[str] = Counter()
        """Decisions by reason."""
        self.unreported: Counter[str] = Counter()
        """Those that the chain does not say yet."""
        self._folder = folder
        self._is_failing = False

    def add(self, group: Iterable[Entry], reason: str) -> None:
        """Count records that are not and will not be written."""
        for entry in group:
            if entry.loss is None:
                entry.loss = reason
                if entry.type == DECISION:
                    self.lost[reason] += 1
                    self.unreported[reason] += 1
                drop_counts.count(f"ledger_{entry.type}", reason)

    def note_failure(self, error: OSError) -> None:
        """Log an error of the disk, once an outage."""
        if not self._is_failing:
            _log.warning("the ledger in %s cannot be written: %s", self._folder, error)
        self._is_failing = True

    def note_success(self) -> None:
        """Log the end of an outage, where there was one."""
        if self._is_failing:
            self._is_failing = False
            _log.warning("the ledger is written again; lost so far: %s", dict(self.lost))
