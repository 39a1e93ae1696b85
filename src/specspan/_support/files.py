"""Reader of text files with a bound on size, a check of the encoding, and a remedy for every problem."""

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
    """Text file that was read."""

    source: str
    """Path as it was given, which messages name."""
    digest: str
    """``sha256:`` and the hex digest of the bytes."""
    text: str
    """Text without a byte order mark, lines ended as in the file."""


def read_text_file(
    path: str | os.PathLike[str], *, what: str, max_bytes: int, error: type[ConfigurationError]
) -> TextFile:
    """Return a file in UTF-8.

    Args:
        path: the file.
        what: kind of file, such as ``spec``, which remedies name.
        max_bytes: a larger file is refused without being read to its end.
        error: type of error that is raised when the file cannot be read.
    """
    source = os.fspath(path)
    _record_read(source, None)
    try:
        data = _read_bytes(source, what, max_bytes)
        digest = f"sha256:{sha256(data).hexdigest()}"
        _record_read(source, digest)
        return TextFile(source, digest, _decode(data, what))
    except _Unreadable as unreadable:
        raise error(source, unreadable.problem) from unreadable.__cause__


_file_reads: ContextVar[dict[str, str | None] | None] = ContextVar("specspan.file_reads", default=None)


@contextmanager
def record_file_reads() -> Iterator[Mapping[str, str | None]]:
    """Yield the files that `read_text_file` reads inside the block: by absolute path, the digest of the bytes.

    The digest is None for a file that could not be read.
    """
    digests: dict[str, str | None] = {}
    token = _file_reads.set(digests)
    try:
        yield digests
    finally:
        _file_reads.reset(token)


def _record_read(source: str, digest: str | None) -> None:
    digests = _file_reads.get()
    if digests is not None:
        digests[os.path.abspath(source)] = digest  # noqa: PTH100 - links stay links: they may come to lead elsewhere


class _Unreadable(Exception):
    def __init__(self, message: str, remedy: str, line: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(message, remedy, line)


def _read_bytes(source: str, what: str, max_bytes: int) -> bytes:
    try:
        with Path(source).open("rb") as file:
            known_size = os.fstat(file.fileno()).st_size
            data = b"" if known_size > max_bytes else file.read(max_bytes + 1)  # a pipe or a device has no size
    except FileNotFoundError as error:
        raise _Unreadable("no such file", "Check the path.") from error
    except IsADirectoryError as error:
        raise _Unreadable("this is a directory", "Name the file in it.") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise _Unreadable(f"it cannot be opened: {reason}", "Check the path and its permissions.") from error
    if known_size > max_bytes or len(data) > max_bytes:
        raise _Unreadable(f"this file is larger than {max_bytes >> 20} MB", f"Give a {what}: none needs more.")
    return data


def _decode(data: bytes, what: str) -> str:
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
