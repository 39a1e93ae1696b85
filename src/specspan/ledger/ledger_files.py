"""Files and folders of a ledger: private, never reached through a link, and their errors by reason."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # Windows, where `configure` refuses a ledger
    fcntl = None  # type: ignore[assignment]

STREAMS: Final = "streams"
"""Folder of streams, each a folder of segments."""
OPEN: Final = "open"
"""Folder with a file for each stream that was not ended; its writer holds a lock on it."""
QUARANTINE: Final = "quarantine"
"""Folder of streams that are damaged otherwise than at their end."""
KEYS: Final = "keys"
"""File of the public keys that signed here, one a line."""

_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_REASONS: Final = {
    errno.ENOSPC: "disk_full",
    errno.EDQUOT: "disk_full",
    errno.EIO: "io_error",
    errno.EMFILE: "too_many_files",
    errno.ENFILE: "too_many_files",
    errno.EROFS: "read_only",
    errno.EACCES: "read_only",
    errno.EPERM: "read_only",
}


def new_stream_name() -> str:
    """Return the name of a stream that begins now: its time, this process and chance."""
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds))
    return f"{moment}.{nanoseconds // 1000:06d}Z-{os.getpid()}-{os.urandom(4).hex()}"


class CapReached(OSError):
    """Refusal to write more than the cap of the ledger's folder."""


def reason_of(error: OSError) -> str:
    """Return the reason of a loss, from a closed set."""
    return "disk_cap" if isinstance(error, CapReached) else _REASONS.get(error.errno or 0, "os_error")


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, that only the user can enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def create_file(path: Path) -> int:
    """Return the descriptor of a new file to append to.

    Raises:
        OSError: the file is there, or it cannot be made.
    """
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600)


def append_file(path: Path, data: bytes) -> None:
    """Append to a private file, which is made where it is not there, in one ``write``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NOFOLLOW, 0o600)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def open_file(path: Path, flags: int = os.O_RDONLY) -> int:
    """Return the descriptor of a file that is there and no link."""
    return os.open(path, flags | _NOFOLLOW)


def read_file(path: Path) -> bytes:
    """Return the bytes of a file that is no link."""
    with open(open_file(path), "rb") as file:
        return file.read()


def sync_file(descriptor: int) -> None:
    """Wait until the disk has the bytes of a file."""
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, whose fsync leaves them in the disk's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def sync_folder(path: Path) -> None:
    """Have the names in a folder outlast a power cut."""
    descriptor = open_file(path)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_locked(path: Path) -> int:
    """Return the descriptor of a new file that nobody sees before it is locked."""
    hidden = path.with_name(f".{path.name}")
    descriptor = create_file(hidden)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        hidden.rename(path)
    except BaseException:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            hidden.unlink()
        raise
    return descriptor


def try_lock(path: Path) -> int | None:
    """Return the descriptor of a file, locked; None where another process holds the lock, or has removed the file."""
    try:
        descriptor = open_file(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(descriptor).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(descriptor)
    return None


def is_written_to(folder: Path, stream: str) -> bool:
    """Return whether a process that runs writes to a stream."""
    path = folder / OPEN / stream
    descriptor = try_lock(path)
    if descriptor is None:
        return path.exists()
    os.close(descriptor)
    return False


def folder_size(folder: Path) -> int:
    """Return the bytes in the segments of all streams."""
    total = 0
    for stream in (folder / STREAMS).iterdir() if (folder / STREAMS).is_dir() else ():
        with contextlib.suppress(OSError):  # removed meanwhile
            total += sum(each.stat().st_size for each in os.scandir(stream))
    return total
