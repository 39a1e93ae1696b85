"""Connections that only read a file, also where nobody may write beside it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from .errors import SQLITE_ERRORS, is_busy
from .store import PATIENCE_S


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a file for reading.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    try:
        return _connect(path, "mode=ro")
    except sqlite3.OperationalError as error:
        # In a folder that may not be written, SQLite cannot keep the index of a write-ahead log. Where there is no log,
        # nobody is writing and none is needed.
        if is_busy(error) or _has_log(path):
            raise
        return _connect(path, "mode=ro&immutable=1")


def _connect(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.Connection(f"{path.as_uri()}?{how}", uri=True, timeout=PATIENCE_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except SQLITE_ERRORS:
        connection.close()
        raise
    return connection


def _has_log(path: Path) -> bool:
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0
