"""Writer of the file: whole batches, each in one transaction, by any number of threads and processes.

All exporters of a process share one writer for each file, so that its threads never wait for one another in SQLite.
Processes ask for the file's lock at random moments; one that met others at it pauses after each batch for as long as
the batch took, so that each of them finds the lock free. SQLite's own waiting asks the more rarely the longer it waits.

SQLite forbids a connection to cross a fork: the child would believe it holds locks that only the parent has
(https://www.sqlite.org/howtocorrupt.html, 2.6). So every connection is closed just before a fork and opened again at
the next batch, on both sides.
"""

from __future__ import annotations

import math
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from .errors import SQLITE_ERRORS, ForeignFile, SQLiteStoreError, is_busy, translate_error
from .moved_file import Companions, Inode, clean_start, complete, find_companions, find_inode
from .schema import check, is_current, migrate

PATIENCE_S = 5.0
"""Time that one batch waits for other processes' writes, all attempts together."""
_ATTEMPT_S = 0.02  # how long SQLite itself waits in one attempt; a fork waits no longer than this for a busy file
_MAX_PAUSE_S = 0.01  # between attempts
_CONTENTION_S = 5.0  # how long a writer makes way after it met others
_MAX_YIELD_S = 0.1
_FORK_PATIENCE_S = 2.0
_WAL_LIMIT_BYTES = 64 * 2**20


class Store:
    """File that is open for writing as long as there is something to write."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Open nothing yet. ``path`` is by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
        self.path = file_path(path)
        self._contended_until_s = -math.inf
        self._yields_until_s = -math.inf
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode: Inode = None
        self._companions: Companions = {}
        self._held_for_fork = False
        self._lost_in_fork: sqlite3.Connection | None = None
        with _all_lock:
            _all.add(self)

    def write(self, work: Callable[[sqlite3.Connection], None], patience_s: float = PATIENCE_S) -> None:
        """Run ``work`` in one transaction: all of it is in the file afterwards, or none.

        Raises:
            SQLiteStoreError: it could not be, within ``patience_s``; nothing of it was written.
        """
        deadline_s = time.monotonic() + patience_s
        while True:
            self._make_way()
            try:
                with self._lock:
                    return self._attempt(work)
            except SQLITE_ERRORS as error:
                if not is_busy(error):
                    raise translate_error(self.path, error) from error
                self._contended_until_s = time.monotonic() + _CONTENTION_S
                if time.monotonic() >= deadline_s:
                    raise translate_error(self.path, error) from error
            time.sleep(random.uniform(0, _MAX_PAUSE_S))  # noqa: S311 - no secret

    def _make_way(self) -> None:
        """Leave the lock to other processes for a moment, where this one has just had it and there are others."""
        now_s = time.monotonic()
        if now_s < self._contended_until_s and (pause_s := self._yields_until_s - now_s) > 0:
            time.sleep(min(pause_s, _MAX_YIELD_S))

    def close(self) -> None:
        """Close the file; a later `write` opens it again."""
        with self._lock:
            self._disconnect()

    def _attempt(self, work: Callable[[sqlite3.Connection], None]) -> None:
        connection = self._connected()
        try:
            connection.execute("BEGIN IMMEDIATE")
            start_s = time.monotonic()
            if not is_current(connection):
                check(connection, self.path)  # a newer version took the file over since it was opened
            work(connection)
            connection.execute("COMMIT")
            self._yields_until_s = 2 * time.monotonic() - start_s
        except BaseException as error:
            if connection.in_transaction or not isinstance(error, sqlite3.Error) or not is_busy(error):
                self._disconnect()  # which takes back what was begun; and what failed may be replaced or repaired
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._lost_in_fork is not None:
            problem = "this process was forked while a batch was being written"
            raise SQLiteStoreError(self.path, problem, "Fork before the first span, or start the process with spawn.")
        if self._connection is not None and self._inode != find_inode(self.path):
            complete(self._connection)
            moved, self._connection = self._connection, None
            with closing(moved):
                self._connection = self._connect()  # deleted or moved away: what is written now belongs into a new file
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> sqlite3.Connection:
        with clean_start(self.path, self._inode, self._companions):
            connection = _open(self.path)
            self._inode, self._companions = find_inode(self.path), find_companions(self.path)
            return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._inode != find_inode(self.path):
                with suppress(sqlite3.Error):  # SQLite would leave the log of a file that has moved
                    complete(connection)
            connection.close()
        self._companions = {}

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


def shared_store(path: str | os.PathLike[str] | None = None) -> Store:
    """Return this process's only writer of a file, as `file_path` finds it."""
    absolute = file_path(path)
    with _all_lock:
        store = _by_path.get(absolute)
        if store is None:
            store = _by_path[absolute] = Store(absolute)
    return store


def file_path(address: str | os.PathLike[str] | None = None) -> Path:
    """Return the absolute path of a file, which is given by its path or by a URL (``sqlite:///PATH``).

    By default it is ``SPECSPAN_DB``, else ``specspan.db`` in the current folder.

    Raises:
        ForeignFile: the URL is that of another kind of store, or names no file.
    """
    text = os.fspath(address) if address is not None else os.environ.get("SPECSPAN_DB") or "specspan.db"
    scheme, is_url, rest = text.partition("://")
    if not is_url or not scheme.isidentifier():
        return Path(text).absolute()
    if scheme.lower() != "sqlite":  # a password may stand in what follows
        problem = "it is the URL of another kind of store, and SQLite needs a file"
        raise ForeignFile(Path(f"{scheme}:"), problem, "Name a file with SPECSPAN_DB.")
    if not rest.startswith("/") or rest == "/":
        problem = "the URL names no file"
        raise ForeignFile(Path(f"{scheme}:"), problem, "Write sqlite:///FOLDER/FILE, or sqlite:////FOLDER/FILE.")
    return Path(rest[1:]).absolute()


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


_all: weakref.WeakSet[Store] = weakref.WeakSet()
_by_path: weakref.WeakValueDictionary[Path, Store] = weakref.WeakValueDictionary()
_all_lock = threading.RLock()
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
