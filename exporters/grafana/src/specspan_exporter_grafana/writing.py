"""Writer of a tree of files that can be written again; files of others, or changed since, are left alone.

A manifest beside the files has the digest of each as it was written. A file is ours while it has that digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


class ForeignFiles(Exception):
    """Refusal to write over files that were not written by specspan, or were changed since."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths
        """The files, as paths in the tree."""
        super().__init__(f"not written by specspan, or changed since: {', '.join(paths)}")


@dataclass(frozen=True, slots=True)
class WriteResult:
    """Result of writing a tree of files."""

    files: int
    """Number of files in the tree."""
    removed: tuple[str, ...]
    """Files of an earlier run that the tree has no longer."""


def write_tree(folder: Path, name: str, files: Mapping[str, str], *, force: bool = False) -> WriteResult:
    """Write files under ``folder`` and remove those written before that are not among them.

    Args:
        folder: the folder, which is made where it is absent.
        name: the name of the tree; several may stand in one folder.
        files: texts by paths.
        force: True writes over files of others, too.

    Raises:
        ForeignFiles: a file stands in the way; nothing was written.
        OSError: a file cannot be read or written.
    """
    manifest = (
        folder / f"{name}.manifest"
    )  # without .json: Grafana would take the manifest for a dashboard where the folder is that of dashboards
    ours = _read_manifest(manifest)
    existing = {path: _digest((folder / path).read_bytes()) for path in {*files, *ours} if (folder / path).exists()}
    digests = {path: _digest(text.encode()) for path, text in sorted(files.items())}
    if not force:
        _require_own(existing, ours, digests)
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if existing.get(path) != digests[path]:
            target.write_text(text, encoding="utf-8", newline="\n")
    removed = tuple(sorted(path for path in ours if path not in digests and path in existing))
    for path in removed:
        (folder / path).unlink()
    manifest.write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8", newline="\n")
    return WriteResult(len(files), removed)


def _require_own(existing: Mapping[str, str], ours: Mapping[str, str], digests: Mapping[str, str]) -> None:
    others = tuple(
        sorted(path for path, digest in existing.items() if digest not in (ours.get(path), digests.get(path)))
    )
    if others:
        raise ForeignFiles(others)


def _read_manifest(manifest: Path) -> dict[str, str]:
    """Return the digests in a manifest by path; none where the manifest is absent or unreadable."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    entries = content.items() if isinstance(content, dict) else ()
    return {path: digest for path, digest in entries if isinstance(digest, str) and _is_within(PurePosixPath(path))}


def _is_within(path: PurePosixPath) -> bool:
    return not path.is_absolute() and ".." not in path.parts


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
