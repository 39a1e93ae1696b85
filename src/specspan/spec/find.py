"""Where a spec is that a policy names: a path, or an edition of the catalogue found on this machine by its digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import islice
from pathlib import Path

from specspan.errors import Problem, SpecError
from specspan.spec.catalogue import Edition, pinned

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
    edition = pinned(reference)
    if edition is None:
        return folder / reference
    folders = [*map(Path, filter(None, environ.get("SPECSPAN_SPECS", "").split(os.pathsep))), folder, cache(environ)]
    for file in _candidates(folders, edition):
        if _is(edition, file):
            return file
    looked = ", ".join(str(each) for each in folders)
    raise SpecError(
        reference,
        Problem(
            f"no file in {looked} has the digest {edition.digest}",
            f"Download it with 'specspan spec pull {reference}', or name its folder in SPECSPAN_SPECS.",
        ),
    )


def cache(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder that pulled specs are put in, below ``XDG_CACHE_HOME``."""
    home = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(home) / "specspan" / "specs"


def file_name(edition: Edition) -> str:
    """What the file of an edition is called in the cache."""
    return f"{edition.pin}.md"


def _candidates(folders: list[Path], edition: Edition) -> Iterator[Path]:
    """Files that may hold an edition: its own name first, then whatever is as long as it is."""
    for folder in folders:
        for inner in (folder, folder / edition.name):
            yield inner / file_name(edition)
            try:
                yield from sorted(islice(inner.glob("*.md"), _MAX_FILES))
            except OSError:
                continue  # a folder that cannot be read holds nothing for us


def _is(edition: Edition, file: Path) -> bool:
    try:
        if file.stat().st_size != edition.size_bytes:
            return False
        return f"sha256:{sha256(file.read_bytes()).hexdigest()}" == edition.digest
    except OSError:
        return False
