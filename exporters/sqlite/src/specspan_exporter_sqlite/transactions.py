"""Short transactions on the file, for readers and for writers of the tables of oversight."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, TypeVar

from .errors import SQLITE_ERRORS, ForeignFile, MissingFile, translate_error
from .read_only import open_read_only
from .schema import WITH_OVERSIGHT, check
from .store import PATIENCE_S, shared_store

T = TypeVar("T")


class SQLiteStatements:
    """Statements on one connection, in a transaction."""

    decision_table = "decision_row"
    for_update = ""  # whoever writes has the file alone

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a statement yields."""
        return self._connection.execute(sql, tuple(values)).fetchall()

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes rows, and return their number."""
        return self._connection.execute(sql, tuple(values)).rowcount

    def now_ns(self) -> int:
        """Return this machine's time: the file is never shared by two."""
        return time.time_ns()


class SQLiteTransactions:
    """Transactions on the file that a path or a URL names."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, patience_s: float = PATIENCE_S) -> None:
        """Open nothing yet. ``path`` is by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
        self._store = shared_store(path)
        self._patience_s = patience_s

    @property
    def name(self) -> str:
        """Path of the file, for messages."""
        return str(self._store.path)

    def read(self, work: Callable[[SQLiteStatements], T]) -> T:
        """Return what ``work`` finds in the file as it is at one moment.

        Raises:
            MissingFile: the file is missing, or of a version that had no such tables.
            SQLiteStoreError: it cannot be read.
        """
        path = self._store.path
        if not path.exists():
            raise MissingFile(path, "no such file", "It is made by the first record; name another with SPECSPAN_DB.")
        if not path.is_file():
            raise ForeignFile(path, "it is a pipe, a device or a folder", "Name another file with SPECSPAN_DB.")
        try:
            with closing(open_read_only(path)) as connection:
                if check(connection, path) < WITH_OVERSIGHT:
                    raise MissingFile(
                        path, "an earlier version wrote it", "It is brought up to date by the next record."
                    )
                connection.execute("BEGIN")
                return work(SQLiteStatements(connection))
        except SQLITE_ERRORS as error:
            raise translate_error(path, error) from error

    def write(self, work: Callable[[SQLiteStatements], T]) -> T:
        """Return the result of ``work``, all of which is in the file afterwards, or none.

        Raises:
            SQLiteStoreError: the file could not be written; nothing of it was.
        """
        results: list[T] = []

        def run(connection: sqlite3.Connection) -> None:
            results[:] = [work(SQLiteStatements(connection))]

        self._store.write(run, self._patience_s)
        return results[0]

    def close(self) -> None:
        """Leave the file to the process's other writers, which share its connection."""
