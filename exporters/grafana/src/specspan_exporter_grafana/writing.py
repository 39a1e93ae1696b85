"""Writing a tree of files that one may write again: what somebody else wrote, or changed since, is left alone.

A manifest beside the files has the digest of each as it was written. A file is ours while it has that digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


class NotOurs(Exception):
    """Files stand in the way that were not written by specspan, or were changed since."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths
        """The files, as paths in the tree."""
        super().__init__(f"not written by specspan, or changed since: {', '.join(paths)}")


@dataclass(frozen=True, slots=True)
class Written:
    """What was done."""

    files: int
    """How many the tree has."""
    removed: tuple[str, ...]
    """Files of ours that the tree has no longer."""


def write_tree(folder: Path, name: str, files: Mapping[str, str], *, force: bool = False) -> Written:
    """Write files under ``folder`` and take away those written before that are none of them.

    Args:
        folder: made where it is not there.
        name: of the tree; several may stand in one folder.
        files: texts by paths.
        force: write over whatever is there.

    Raises:
        NotOurs: a file stands in the way; nothing was written.
        OSError: a file cannot be read or written.
    """
    manifest = folder / f"{name}.manifest"  # no .json: Grafana would take it for a dashboard, where that is the folder
    ours = _read(manifest)
    there = {path: _digest((folder / path).read_bytes()) for path in {*files, *ours} if (folder / path).exists()}
    wanted = {path: _digest(text.encode()) for path, text in sorted(files.items())}
    if not force:
        _refuse(there, ours, wanted)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if there.get(path) != wanted[path]:
            target.write_text(text, encoding="utf-8", newline="\n")
    gone = tuple(sorted(path for path in ours if path not in wanted and path in there))
    for path in gone:
        (folder / path).unlink()
    manifest.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8", newline="\n")
    return Written(len(files), gone)


def _refuse(there: Mapping[str, str], ours: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    others = tuple(sorted(path for path, digest in there.items() if digest not in (ours.get(path), wanted.get(path))))
    if others:
        raise NotOurs(others)


def _read(manifest: Path) -> dict[str, str]:
    """What a manifest says of files within the tree; nothing where there is none, or where it is no manifest."""
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    listed = found.items() if isinstance(found, dict) else ()
    return {path: digest for path, digest in listed if isinstance(digest, str) and _is_within(PurePosixPath(path))}


def _is_within(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
