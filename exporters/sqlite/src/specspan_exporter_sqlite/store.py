"""Writer of the file: whole batches, each in one transaction, by any number of threads and processes.

SQLite forbids a connection to cross a fork: the child would believe it holds locks that only the parent has
(https://www.sqlite.org/howtocorrupt.html, 2.6). So every connection is closed just before a fork and opened again at
the next batch, on both sides.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

from specspan_exporter_sqlite.errors import SQLiteStoreError, is_busy, translate_error
from specspan_exporter_sqlite.schema import check, migrate

PATIENCE_S = 5.0
"""Time that one batch waits for other processes' writes, all attempts together."""
_ATTEMPT_S = 0.1  # how long SQLite itself waits in one attempt; a fork waits no longer than this for a busy file
_PAUSE_S = 0.01  # turning to write-ahead logging reports a lock at once, without SQLite's own wait
_FORK_PATIENCE_S = 2.0
_WAL_LIMIT_BYTES = 64 * 2**20


class Store:
    """File that is open for writing as long as there is something to write."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, patience_s: float = PATIENCE_S) -> None:
        """Open nothing yet. ``path`` is by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
        self.path = default_path() if path is None else Path(path).absolute()
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._held_for_fork = False
        self._lost_in_fork: sqlite3.Connection | None = None
        with _all_lock:
            _all.add(self)

    def write(self, work: Callable[[sqlite3.Connection], None]) -> None:
        """Run ``work`` in one transaction: all of it is in the file afterwards, or none.

        Raises:
            SQLiteStoreError: it could not be; nothing of it was written.
        """
        deadline = time.monotonic() + self._patience_s
        while True:
            try:
                with self._lock:
                    return self._attempt(work)
            except sqlite3.Error as error:
                if not is_busy(error) or time.monotonic() >= deadline:
                    raise translate_error(self.path, error) from error
            time.sleep(_PAUSE_S)

    def close(self) -> None:
        """Close the file; a later `write` opens it again."""
        with self._lock:
            self._disconnect()

    def _attempt(self, work: Callable[[sqlite3.Connection], None]) -> None:
        connection = self._connected()
        try:
            connection.execute("BEGIN IMMEDIATE")
            work(connection)
            connection.execute("COMMIT")
        except BaseException:
            self._disconnect()  # which takes back what was begun; and a file that failed may be replaced or repaired
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._lost_in_fork is not None:
            problem = "this process was forked while a batch was being written"
            raise SQLiteStoreError(self.path, problem, "Fork before the first span, or start the process with spawn.")
        if self._connection is not None and self._inode != _inode(self.path):
            self._disconnect()  # deleted or moved away: what is written now belongs into a new file
        if self._connection is None:
            self._connection = _open(self.path)
            self._inode = _inode(self.path)
        return self._connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _before_fork(self) -> None:
        self._held_for_fork = self._lock.acquire(timeout=_FORK_PATIENCE_S)
        if self._held_for_fork:
            self._disconnect()

    def _after_fork_in_parent(self) -> None:
        if self._held_for_fork:
            self._lock.release()

    def _after_fork_in_child(self) -> None:
        if not self._held_for_fork:  # its holder does not exist here, and the connection must never be touched again
            self._lost_in_fork = self._connection
        self._lock = threading.Lock()


def default_path() -> Path:
    """Return ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
    return Path(os.environ.get("SPECSPAN_DB") or "specspan.db").absolute()


def _open(path: Path) -> sqlite3.Connection:
    # The class, not sqlite3.connect(): instrumentation that patches the function would make spans of our own writes.
    connection = sqlite3.Connection(path, timeout=_ATTEMPT_S, isolation_level=None, check_same_thread=False)
    try:
        check(connection, path)  # before anything is written into a file that may be somebody else's
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection, path)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_WAL_LIMIT_BYTES}")
    except BaseException:
        connection.close()
        raise
    return connection


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


_all: weakref.WeakSet[Store] = weakref.WeakSet()
_all_lock = threading.Lock()
_forking: list[Store] = []


def _before_fork() -> None:
    _all_lock.acquire()
    _forking[:] = list(_all)
    for store in _forking:
        store._before_fork()


def _after_fork_in_parent() -> None:
    for store in _forking:
        store._after_fork_in_parent()
    _forking.clear()
    _all_lock.release()


def _after_fork_in_child() -> None:
    for store in _forking:
        store._after_fork_in_child()
    _forking.clear()
    _all_lock.release()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
