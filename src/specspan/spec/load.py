"""Loading a spec: a file's bytes, checked and decoded, given to the reader that knows what they hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from specspan import discovery
from specspan.errors import Problem, SpecError
from specspan.spec.catalogue import editions
from specspan.spec.model import Spec
from specspan.textfile import read_text_file

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
    file = read_text_file(path, what="spec", max_bytes=MAX_BYTES, error=SpecError)
    origin = Origin(file.source, file.digest)
    text = file.text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise SpecError(file.source, Problem("this file is empty", "Give the text of a spec."))
    for reader in _readers():
        if reader.reads(text):
            return _named(reader.read(text, origin))
    raise SpecError(
        file.source,
        Problem(
            "no reader knows this format",
            "Give a section a heading such as '## Title {#its_id authority=user}', or install a reader for it.",
        ),
    )


def _named(spec: Spec) -> Spec:
    """A published text has the name and version it was published under, whatever its file is called."""
    edition = editions().get(spec.digest)
    return spec if edition is None else replace(spec, id=edition.name, version=edition.version)


def _readers() -> Iterator[SpecReader]:
    yield from discovery.modules("specspan.spec.readers")
    for _, reader in discovery.plugins("specspan_readers"):
        yield reader
