"""Files that were moved away, deleted or replaced while they were open: how they are completed and succeeded.

SQLite keeps a log and an index beside the database, under names that are the database's with an ending. A program goes
on with those that it has open, but a new file of the same name would be opened with the log and index of the old one:
https://www.sqlite.org/howtocorrupt.html, 4.1. And a connection whose file has moved leaves the log unread as it closes.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from .errors import is_busy

try:
    import fcntl
except ImportError:  # Windows, where no file is moved while it is open
    fcntl = None  # type: ignore[assignment]

Inode: TypeAlias = "tuple[int, int] | None"
Companions: TypeAlias = "dict[Path, Inode]"

_TURN_S = 1.0  # how long a turn is waited for; who has it needs milliseconds
_PAUSE_S = 0.005


def find_inode(path: Path) -> Inode:
    """Return what tells a file from another of the same name; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def find_companions(path: Path) -> Companions:
    """Return the log and the index of a file that is open, each with its inode."""
    return {companion: find_inode(companion) for companion in _companions(path)}


def complete(connection: sqlite3.Connection) -> None:
    """Write what is in the log into the file itself, wherever it is now.

    Raises:
        sqlite3.OperationalError: it is locked by others.
    """
    connection.rollback()
    try:
        is_locked = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.Error as error:
        if is_busy(error):
            raise
        return  # the disk may be full because of a file that is deleted, and there for as long as it is open
    if is_locked:
        raise sqlite3.OperationalError("database is locked")


@contextlib.contextmanager
def clean_start(path: Path, left_inode: Inode, left: Companions) -> Iterator[None]:
    """Remove the log and index of a file that is there no more, before a block that makes or opens one of its name.

    ``left_inode`` and ``left`` are the file that this process has open, and its companions. Processes take turns, so
    that none removes what another has just made.
    """
    with _turn(path.parent):
        inode = find_inode(path)
        for companion in _companions(path):
            found = find_inode(companion)
            is_stale = inode is None or (inode != left_inode and found == left.get(companion))
            if found is not None and is_stale:
                with contextlib.suppress(OSError):
                    companion.unlink()
        yield


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    descriptor = _open_folder(folder)
    if descriptor is None:
        yield
        return
    try:
        deadline_s = time.monotonic() + _TURN_S
        while not _lock(descriptor) and time.monotonic() < deadline_s:
            time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _open_folder(folder: Path) -> int | None:
    if os.name != "posix":
        return None
    try:
        return os.open(folder, os.O_RDONLY)
    except OSError:
        return None


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)  # a file system without such locks: go on without
    return True


def _companions(path: Path) -> tuple[Path, Path]:
    return Path(f"{path}-wal"), Path(f"{path}-shm")
