"""Errors of this exporter, all in one tree.

::

    SQLiteStoreError          a file could not be used: ``str()`` names it, what is wrong and what to do
    ├── MissingFile           the file to read is missing
    ├── ForeignFile           another format, or written by another program or a newer version
    ├── BusyFile              other processes held its lock for longer than the patience
    ├── FullDisk              there is no room for what was to be written
    └── FailingDisk           the system did not take it: a quota, a limit of file sizes, or a broken disk
"""

from __future__ import annotations

import sqlite3
from pathlib import Path


class SQLiteStoreError(Exception):
    """Error of a file that could not be read or written."""

    is_temporary = False
    """True where the same batch may well be written later: it is worth keeping."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}. {self.remedy}"


class MissingFile(SQLiteStoreError):
    """Error of a file that is missing."""


class ForeignFile(SQLiteStoreError):
    """Error of a file that another program, or a newer version of this exporter, wrote."""


class BusyFile(SQLiteStoreError):
    """Error of a file whose lock other processes held for too long."""

    is_temporary = True


class FullDisk(SQLiteStoreError):
    """Error of a file that cannot grow."""

    is_temporary = True


class FailingDisk(SQLiteStoreError):
    """Error of a file that the system cannot read or write: a quota or a limit of file sizes may yet be raised."""

    is_temporary = True


SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""Errors of SQLite's statements: the second where its message quotes a damaged file, whose bytes are no UTF-8."""

# SQLite's result codes are attributes of the error only from Python 3.11 on; its messages are the same everywhere.
# https://www.sqlite.org/rescode.html
_REMEDIES = (
    ("locked", BusyFile, "Another process has been writing for too long; find it, or give each its own SPECSPAN_DB."),
    ("not a database", ForeignFile, "Name another file with SPECSPAN_DB, or move this one away."),
    ("malformed", SQLiteStoreError, "Save what can be read with `sqlite3 FILE .recover`, then move the file away."),
    ("unable to open", SQLiteStoreError, "Check that its folder exists and that both may be written."),
    ("readonly", SQLiteStoreError, "Make the file and its folder writable, or name another with SPECSPAN_DB."),
    ("disk I/O", FailingDisk, "Check the disk, its quotas and the limit of file sizes, or name another file."),
    ("full", FullDisk, "Free some space, or name a file on another disk with SPECSPAN_DB."),
)


def is_busy(error: Exception) -> bool:
    """Return whether another attempt may help, as another connection holds a lock."""
    return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "locking protocol" in str(error))


def translate_error(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> SQLiteStoreError:
    """Return the error with SQLite's message, the file's name and a remedy."""
    message = error.object.decode("utf-8", "replace") if isinstance(error, UnicodeDecodeError) else str(error)
    for fragment, kind, remedy in _REMEDIES:
        if fragment in message:
            return kind(path, message, remedy)
    return SQLiteStoreError(path, message, "Check the disk, or name another file with SPECSPAN_DB.")
