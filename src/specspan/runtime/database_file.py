"""Check of the SQLite file that spans and decisions are to go to, before the first of them is lost."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from specspan.errors import ConfigurationError, Problem

_REMEDY = "Name another file with SPECSPAN_DB or configure(db=…)."


def check_database_file(db: str | os.PathLike[str] | None) -> None:
    """Refuse a file that could not be written; nothing is created.

    ``db`` is a path; None for ``SPECSPAN_DB``, else ``specspan.db`` in the current folder.

    Raises:
        ConfigurationError: the folder does not exist or cannot be written, or the file cannot be, or is another's.
    """
    path = Path(db or os.environ.get("SPECSPAN_DB") or "specspan.db")
    problem = _problem(path)
    if problem is not None:
        raise ConfigurationError(f"SQLite file {str(path)!r}", problem)


def _problem(path: Path) -> Problem | None:
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            return Problem(f"the folder {str(folder)!r} does not exist", f"Make it. {_REMEDY}")
        if path.is_dir():
            return Problem("it is a folder", _REMEDY)
        if path.exists() and not os.access(path, os.W_OK):
            return Problem("it is read-only", f"Make it writable. {_REMEDY}")
        if path.exists() and not _is_database(path):
            return Problem("it is another kind of file", _REMEDY)
        with tempfile.TemporaryFile(dir=folder):  # SQLite writes files of its own beside the database
            return None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Problem(f"it cannot be written ({reason})", f"Make the file and its folder writable. {_REMEDY}")


def _is_database(path: Path) -> bool:
    """Return whether a file is SQLite's, or empty.

    SQLite itself looks: whoever opens and closes the file otherwise drops the locks that this process holds on it.
    """
    try:
        with closing(sqlite3.Connection(path, timeout=0)) as connection:
            connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError:  # another process is writing, for example
        return True
    except sqlite3.DatabaseError:
        return False
    return True
