"""Checkpoints in a file outside of the ledger's folder, best on another machine: a witness against what is set back."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Final

from specspan._support import drop_counts
from specspan.ledger import ledger_files as files

_log = logging.getLogger("specspan")
_INTERVAL_S: Final = 60.0


class Pin:
    """Writer of the last checkpoint to a file, once a minute and at the end. One thread at a time."""

    def __init__(self, path: Path | None) -> None:
        """Write to ``path``; to nowhere where it is None."""
        self._path = path
        self._written_s: float | None = None
        self._is_failing = False

    def put(self, line: bytes, *, is_last: bool = False) -> None:
        """Append the line of a checkpoint that the disk has, unless one was appended less than a minute ago."""
        now_s = time.monotonic()
        if self._path is None or not line:
            return
        if not is_last and self._written_s is not None and now_s - self._written_s < _INTERVAL_S:
            return
        self._written_s = now_s
        try:
            files.append_file(self._path, line + b"\n")
            self._is_failing = False
        except OSError as error:
            drop_counts.count("ledger_checkpoint", files.reason_of(error))
            if not self._is_failing:  # once an outage
                _log.warning("no checkpoint can be pinned in %s: %s", self._path, error)
            self._is_failing = True
