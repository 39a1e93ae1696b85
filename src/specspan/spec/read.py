"""Loading a spec: a file's bytes, checked and decoded, given to the reader that knows what they hold."""

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
            return _with_published_name(reader.read(text, origin))
    raise SpecError(
        file.source,
        Problem(
            "no reader knows this format",
            "Give a section a heading such as '## Title {#its_id authority=user}', or install a reader for it.",
        ),
    )


def _with_published_name(spec: Spec) -> Spec:
    """A published text has the name and version it was published under, whatever its file is called."""
    edition = editions().get(spec.digest)
    return spec if edition is None else replace(spec, id=edition.name, version=edition.version)


def _readers() -> Iterator[SpecReader]:
    yield from plugins.iter_modules("specspan.spec.readers")
    for _, reader in plugins.iter_plugins("specspan_readers"):
        yield reader


# MERGED sniff: Which kind of text a file holds, told from how it begins.


class TextKind(Enum):
    """A kind of text."""

    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    PROSE = "prose"
    """Whatever is none of the others: Markdown, if anything."""


# Blank lines, comments and the mark that opens a document, then a key that a spec has at its top.
_BEFORE_TOP = re.compile(r"(?:[ \t]*(?:#.*)?\n){1,500}|---[ \t]*\n")  # in runs: one line at a time is slow
_YAML_TOP = re.compile(r"[\"']?(?:v|type|id|version|ladder|clauses)[\"']?[ \t]*:(?=\s)")
_ID_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t].*\{#", re.MULTILINE)
_JSON_TOP = re.compile(r"\s*\{\s*[\"}]")
_CLAUSES = re.compile(r"^(?:[\"']?clauses[\"']?[ \t]*:|---[ \t]*$)", re.MULTILINE)


def classify_text(text: str) -> TextKind:
    """The kind of ``text``. Quick: nothing is parsed."""
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
    """Whether a heading carries an id as in ``## Title {#id}``."""
    return _ID_HEADING.search(text) is not None


# MERGED find: Where a spec is that a policy names: a path, or an edition of the catalogue found on this machine by
# its digest.


_MAX_FILES = 200
"""How many files of one folder are looked at."""


def find_spec(reference: str, folder: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """The file of a spec.

    Args:
        reference: a path relative to ``folder``, or ``name@version`` of the catalogue. An edition is looked for in the
            folders of ``SPECSPAN_SPECS``, in ``folder``, and where ``specspan spec pull`` puts it.
        folder: the policy's.
        environ: the environment.

    Raises:
        SpecError: the catalogue knows the name and no such version, or the edition is nowhere on this machine.
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
    """The folder that pulled specs are put in, below ``XDG_CACHE_HOME``."""
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(home) / "specspan" / "specs"


def edition_file_name(edition: Edition) -> str:
    """What the file of an edition is called in the cache."""
    return f"{edition.pin}.md"


def _candidate_files(folders: list[Path], edition: Edition) -> Iterator[Path]:
    """Files that may hold an edition: its own name first, then whatever is as long as it is."""
    for folder in folders:
        for inner in (folder, folder / edition.name):
            yield inner / edition_file_name(edition)
            try:
                yield from sorted(islice(inner.glob("*.md"), _MAX_FILES))
            except OSError:
                continue  # a folder that cannot be read holds nothing for us


def _holds_edition(edition: Edition, file: Path) -> bool:
    try:
        if file.stat().st_size != edition.size_bytes:
            return False
        return f"sha256:{sha256(file.read_bytes()).hexdigest()}" == edition.digest
    except OSError:
        return False
