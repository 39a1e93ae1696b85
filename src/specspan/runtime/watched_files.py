"""What some files hold, by digest; a file is read again only where it may have changed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

Digests: TypeAlias = Mapping[str, str | None]
"""By path, the digest of a file's bytes; None: it cannot be read."""

YOUNG_NS = 2 * 10**9
"""A file that changed so recently may change again without a later time: file systems count in steps of up to 2 s."""
_MAX_BYTES = 16 << 20  # as much as anything that is watched may have


@dataclass(frozen=True, slots=True)
class _Stamp:
    """What tells that a file is the one it was: whoever writes or replaces it changes some of this."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class WatchedFiles:
    """Looks at files. Links are followed: what counts is what would be read."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._known: dict[str, tuple[_Stamp, str | None]] = {}

    def look(self, paths: Iterable[str]) -> dict[str, str | None]:
        """What each file holds now."""
        return {path: self._digest(path) for path in paths}

    def _digest(self, path: str) -> str | None:
        stamp = _stamp(path)
        if stamp is None:
            return None
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        digest = _read(path)
        if self._now_ns() - max(stamp.modified_ns, stamp.changed_ns) > YOUNG_NS:
            self._known[path] = (stamp, digest)
        return digest


def is_watchable(path: str) -> bool:
    """Whether it can be read again: a file, or nothing yet. A pipe gives its text once."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - the path may be one that pathlib refuses
    except (OSError, ValueError):
        return True


def _stamp(path: str) -> _Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return None
    return _Stamp(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read(path: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            return f"sha256:{sha256(file.read(_MAX_BYTES + 1)).hexdigest()}"
    except (OSError, ValueError):
        return None
