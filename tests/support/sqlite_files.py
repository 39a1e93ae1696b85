"""A SQLite file as other programs see it: they count its rows, and hold its lock."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def count(database: Path, table: str) -> int:
    """Rows in a table."""
    return int(sqlite3.connect(database).execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Somebody else holds the write lock."""
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
