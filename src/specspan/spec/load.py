"""Loading a spec: a file's bytes, checked and decoded, given to the reader that knows what they hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from specspan import discovery
from specspan.errors import Problem, SpecError
from specspan.spec.model import Spec

MAX_BYTES = 16 * 1024 * 1024
"""The largest file that is read; the published Model Spec has a quarter of a megabyte."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a document's text comes from."""

    source: str
    """Its path as it was given; messages name it."""
    digest: str
    """``sha256:`` and the hex digest of its bytes."""


class SpecReader(Protocol):
    """A module in `specspan.spec.readers`, or an object behind the entry point group ``specspan_readers``."""

    def reads(self, text: str) -> bool:
        """Whether this is a document of its format. Told from the content, and quickly."""

    def read(self, text: str, origin: Origin) -> Spec:
        """The spec.

        Raises:
            SpecError: naming every problem found, each with its line and its remedy.
        """


def load_spec(path: str | os.PathLike[str]) -> Spec:
    """Read a spec from a file, whatever its format.

    Args:
        path: a file of at most `MAX_BYTES`, UTF-8.

    Raises:
        SpecError: it cannot be read; every problem found is named with its line and its remedy.
    """
    source = os.fspath(path)
    data = _bytes(source)
    origin = Origin(source, f"sha256:{sha256(data).hexdigest()}")
    text = _text(data, source)
    for reader in _readers():
        if reader.reads(text):
            return reader.read(text, origin)
    raise SpecError(
        source,
        Problem(
            "no reader knows this format",
            "Give a section a heading such as '## Title {#its_id authority=user}', or install a reader for it.",
        ),
    )


def _readers() -> Iterator[SpecReader]:
    yield from discovery.modules("specspan.spec.readers")
    for _, reader in discovery.plugins("specspan_readers"):
        yield reader


def _bytes(source: str) -> bytes:
    try:
        with Path(source).open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise _too_large(source)
            data = file.read(MAX_BYTES + 1)  # a pipe or a device has no size
    except FileNotFoundError:
        raise _refused(source, "there is no such file", "Check the path.") from None
    except IsADirectoryError:
        raise _refused(source, "this is a directory", "Name the file in it.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _refused(source, f"it cannot be opened: {reason}", "Check the path and its permissions.") from error
    if len(data) > MAX_BYTES:
        raise _too_large(source)
    return data


def _text(data: bytes, source: str) -> str:
    """The text, without a byte order mark and its lines ended by a line feed alone."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _refused(source, "this is UTF-16", "Save it as UTF-8.")
    if b"\0" in data:
        raise _refused(source, "this is a binary file", "Give the text of a spec, in UTF-8.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} (offset {error.start}) is not UTF-8"
        raise _refused(source, message, "Save the file as UTF-8.", line) from None
    if not text.strip():
        raise _refused(source, "this file is empty", "Give the text of a spec.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _too_large(source: str) -> SpecError:
    limit = f"Specs have at most {MAX_BYTES >> 20} MB; leave out what is no clause."
    return _refused(source, f"this file is larger than {MAX_BYTES >> 20} MB", limit)


def _refused(source: str, message: str, remedy: str, line: int | None = None) -> SpecError:
    return SpecError(source, Problem(message, remedy, line))
