"""SQLite file: the embedded default."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from specspan.errors import ConfigurationError, EmptyStore, Problem, StoreError
from specspan.sqlite import pruning
from specspan.sqlite.errors import MissingFile, SQLiteStoreError
from specspan.sqlite.model import Pruning
from specspan.sqlite.reader import Reader
from specspan.sqlite.store import file_path
from specspan.sqlite.transactions import SQLiteTransactions
from specspan.stores.protocols import StoreReader
from specspan.stores.transactions import Statements, Transactions

NAME = "sqlite"
SCHEMES = ("sqlite",)
T = TypeVar("T")
_REMEDY = "Name another file with SPECSPAN_DB or configure(db=…)."


@contextmanager
def open_reader(address: str) -> Iterator[StoreReader]:
    """Open a file for reading, until the block ends."""
    with _translated_errors(), Reader(address) as reader:
        yield reader


def open_transactions(address: str) -> Transactions:
    """Return the short transactions of a file; the first one that writes makes it.

    Raises:
        ConfigurationError: the URL is that of another kind of store, or names no file.
    """
    try:
        return _Transactions(SQLiteTransactions(address))
    except SQLiteStoreError as error:
        raise ConfigurationError("SQLite file", Problem(error.problem, error.remedy)) from error


def preview_pruning(address: str, before_unix_nano: int, by: str) -> Pruning:
    """Return what `prune` would remove; the file is only read."""
    with _translated_errors():
        return pruning.preview_pruning(address, before_unix_nano, by)


def prune(address: str, before_unix_nano: int, by: str) -> Pruning:
    """Remove decisions and spans from before a time, and write the file anew without their space."""
    with _translated_errors():
        return pruning.prune(address, before_unix_nano, by)


def check_address(address: str) -> None:
    """Refuse a file that could not be written; nothing is created.

    Raises:
        ConfigurationError: the folder does not exist or cannot be written, or the file cannot be, or is another's.
    """
    try:
        path = file_path(address)
    except SQLiteStoreError as error:
        raise ConfigurationError("SQLite file", Problem(error.problem, error.remedy)) from error
    problem = _problem(path)
    if problem is not None:
        raise ConfigurationError(f"SQLite file {address!r}", problem)


class _Transactions:
    """Transactions of a file, with errors of specspan's own."""

    def __init__(self, transactions: SQLiteTransactions) -> None:
        self._transactions = transactions
        self.name = transactions.name

    def read(self, work: Callable[[Statements], T]) -> T:
        """Return what ``work`` finds in the file as it is at one moment."""
        with _translated_errors():
            return self._transactions.read(work)

    def write(self, work: Callable[[Statements], T]) -> T:
        """Return the result of ``work``, all of which is in the file afterwards, or none."""
        with _translated_errors():
            return self._transactions.write(work)

    def close(self) -> None:
        """Leave the file to the process's other writers."""
        self._transactions.close()


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except MissingFile as error:
        raise EmptyStore(f"{error.path}: {error.problem}") from error
    except SQLiteStoreError as error:
        raise StoreError(str(error)) from error


def _problem(path: Path) -> Problem | None:
    folder = path.parent
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
