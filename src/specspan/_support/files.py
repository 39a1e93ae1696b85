"""Reading a text that somebody wrote: its size bounded, its encoding checked, what is wrong told with a remedy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from specspan.errors import ConfigurationError, Problem


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file that was read."""

    source: str
    """Its path as it was given; messages name it."""
    digest: str
    """``sha256:`` and the hex digest of its bytes."""
    text: str
    """Without a byte order mark, lines ended as in the file."""


def read_text_file(
    path: str | os.PathLike[str], *, what: str, max_bytes: int, error: type[ConfigurationError]
) -> TextFile:
    """Read a file in UTF-8.

    Args:
        path: the file.
        what: what it is to be, such as ``spec``; remedies name it.
        max_bytes: a larger file is refused without being read to its end.
        error: what is raised when it cannot be read.
    """
    source = os.fspath(path)
    _note(source, None)
    try:
        data = _bytes(source, what, max_bytes)
        digest = f"sha256:{sha256(data).hexdigest()}"
        _note(source, digest)
        return TextFile(source, digest, _text(data, what))
    except _Unreadable as unreadable:
        raise error(source, unreadable.problem) from unreadable.__cause__


_noted: ContextVar[dict[str, str | None] | None] = ContextVar("specspan.noted_files", default=None)


@contextmanager
def record_file_reads() -> Iterator[Mapping[str, str | None]]:
    """Note every file that `read_text_file` is asked for in the block.

    Gives, by absolute path, the digest of what was read; None where nothing could be.
    """
    noted: dict[str, str | None] = {}
    token = _noted.set(noted)
    try:
        yield noted
    finally:
        _noted.reset(token)


def _note(source: str, digest: str | None) -> None:
    noted = _noted.get()
    if noted is not None:
        noted[os.path.abspath(source)] = digest  # noqa: PTH100 - links stay links: they may come to lead elsewhere


class _Unreadable(Exception):
    def __init__(self, message: str, remedy: str, line: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(message, remedy, line)


def _bytes(source: str, what: str, max_bytes: int) -> bytes:
    try:
        with Path(source).open("rb") as file:
            known_size = os.fstat(file.fileno()).st_size
            data = b"" if known_size > max_bytes else file.read(max_bytes + 1)  # a pipe or a device has no size
    except FileNotFoundError as error:
        raise _Unreadable("there is no such file", "Check the path.") from error
    except IsADirectoryError as error:
        raise _Unreadable("this is a directory", "Name the file in it.") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise _Unreadable(f"it cannot be opened: {reason}", "Check the path and its permissions.") from error
    if known_size > max_bytes or len(data) > max_bytes:
        raise _Unreadable(f"this file is larger than {max_bytes >> 20} MB", f"Give a {what}: none needs more.")
    return data


def _text(data: bytes, what: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Unreadable("this is UTF-16", "Save it as UTF-8.")
    if b"\0" in data:
        raise _Unreadable("this is a binary file", f"Give the text of a {what}, in UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} (offset {error.start}) is not UTF-8"
        raise _Unreadable(message, "Save the file as UTF-8.", line) from error
