"""Loading of a spec: find its file, check and decode the bytes, and hand the text to the reader of its format.

A format is recognised by the content, never by the file's name. A policy names a spec by its path, or as an edition of
the catalogue, which is found on this machine by its digest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Protocol

from specspan._support import plugins
from specspan._support.files import read_text_file
from specspan.errors import Problem, SpecError
from specspan.spec.catalogue import Edition, editions, find_edition
from specspan.spec.spec import Spec

MAX_BYTES = 16 * 1024 * 1024
"""Size of the largest file that is read; the published Model Spec has a quarter of a megabyte."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Identity of the file that a document's text comes from."""

    source: str
    """Path of the file as it was given; messages name it."""
    digest: str
    """``sha256:`` and the hex digest of the file's bytes."""


class SpecReader(Protocol):
    """Reader of one format: a module in `specspan.spec.readers`, or an entry point of group ``specspan_readers``."""

    def reads(self, text: str) -> bool:
        """Return whether a text is a document of this format, judged by its content and quickly."""

    def read(self, text: str, origin: Origin) -> Spec:
        """Return the spec that a document holds.

        Raises:
            SpecError: naming every problem found, each with its line and its remedy.
        """


def load_spec(path: str | os.PathLike[str]) -> Spec:
    """Read a spec from a file, whatever its format.

    Args:
        path: a file of at most `MAX_BYTES`, UTF-8.

    Raises:
        SpecError: the file cannot be read as a spec; every problem found is named with its line and its remedy.
    """
    file = read_text_file(path, what="spec", max_bytes=MAX_BYTES, error=SpecError)
    origin = Origin(file.source, file.digest)
    text = file.text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise SpecError(file.source, Problem("this file is empty", "Give the text of a spec."))
    for reader in _readers():
        if reader.reads(text):
            return _with_published_name(reader.read(text, origin))
    raise SpecError(
        file.source,
        Problem(
            "no reader knows this format",
            "Give a section a heading such as '## Title {#its_id authority=user}', or install a reader for it.",
        ),
    )


def _with_published_name(spec: Spec) -> Spec:
    """Return a spec under its published name and version where the catalogue knows its digest."""
    edition = editions().get(spec.digest)
    return spec if edition is None else replace(spec, id=edition.name, version=edition.version)


def _readers() -> Iterator[SpecReader]:
    yield from plugins.iter_modules("specspan.spec.readers")
    for _, reader in plugins.iter_plugins("specspan_readers"):
        yield reader


class TextKind(Enum):
    """Kind of a text, as its beginning shows."""

    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    PROSE = "prose"
    """Any other text: Markdown, if anything."""


# Blank lines, comments and the mark that opens a document, then a key that a spec has at its top.
_BEFORE_TOP = re.compile(r"(?:[ \t]*(?:#.*)?\n){1,500}|---[ \t]*\n")  # in runs: one line at a time is slow
_YAML_TOP = re.compile(r"[\"']?(?:v|type|id|version|ladder|clauses)[\"']?[ \t]*:(?=\s)")
_ID_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t].*\{#", re.MULTILINE)
_JSON_TOP = re.compile(r"\s*\{\s*[\"}]")
_CLAUSES = re.compile(r"^(?:[\"']?clauses[\"']?[ \t]*:|---[ \t]*$)", re.MULTILINE)


def classify_text(text: str) -> TextKind:
    """Return the kind of ``text`` without parsing it: microseconds, so that each reader may ask anew."""
    if _JSON_TOP.match(text):
        start = text.lstrip()
        first, _, rest = start.partition("\n")
        alone = first.rstrip().endswith("}") and (rest.strip() or '"clauses"' not in first)
        return TextKind.JSONL if alone else TextKind.JSON
    begins = 0
    while before := _BEFORE_TOP.match(text, begins):
        begins = before.end()
    if _YAML_TOP.match(text, begins) is None:
        return TextKind.PROSE
    # A mark above the first key ends nothing; one below it ends front matter.
    clauses = _CLAUSES.search(text, begins)
    return TextKind.PROSE if clauses is None or clauses[0].startswith("---") else TextKind.YAML


def has_heading_ids(text: str) -> bool:
    """Return whether a heading carries an id as in ``## Title {#id}``."""
    return _ID_HEADING.search(text) is not None


_MAX_FILES = 200
"""Number of files of one folder that are considered."""


def find_spec(reference: str, folder: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of a spec.

    Args:
        reference: a path relative to ``folder``, or ``name@version`` of the catalogue. An edition is searched for in
            the folders of ``SPECSPAN_SPECS``, in ``folder``, and where ``specspan spec pull`` puts it.
        folder: folder of the policy.
        environ: environment variables.

    Raises:
        SpecError: the catalogue has the name but not the version, or the edition is nowhere on this machine.
    """
    edition = find_edition(reference)
    if edition is None:
        return folder / reference
    folders = [
        *map(Path, filter(None, environ.get("SPECSPAN_SPECS", "").split(os.pathsep))),
        folder,
        cache_folder(environ),
    ]
    for file in _candidate_files(folders, edition):
        if _holds_edition(edition, file):
            return file
    looked = ", ".join(str(each) for each in folders)
    raise SpecError(
        reference,
        Problem(
            f"no file in {looked} has the digest {edition.digest}",
            f"Download it with 'specspan spec pull {reference}', or name its folder in SPECSPAN_SPECS.",
        ),
    )


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for pulled specs, below ``XDG_CACHE_HOME``."""
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(home) / "specspan" / "specs"


def edition_file_name(edition: Edition) -> str:
    """Return the name of an edition's file in the cache."""
    return f"{edition.pin}.md"


def _candidate_files(folders: list[Path], edition: Edition) -> Iterator[Path]:
    """Yield the files that may hold an edition: first those named after it, then every Markdown file."""
    for folder in folders:
        for inner in (folder, folder / edition.name):
            yield inner / edition_file_name(edition)
            try:
                yield from sorted(islice(inner.glob("*.md"), _MAX_FILES))
            except OSError:
                continue  # a folder that cannot be read has no candidates


def _holds_edition(edition: Edition, file: Path) -> bool:
    """Return whether a file's bytes are those of an edition."""
    try:
        if file.stat().st_size != edition.size_bytes:
            return False
        return f"sha256:{sha256(file.read_bytes()).hexdigest()}" == edition.digest
    except OSError:
        return False
