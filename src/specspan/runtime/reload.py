"""A changed policy takes the place of the one in force; a broken one does not.

Every file that loading reads is watched: the policy, those it extends, its specs. A change counts once two looks in a
row find the same, so that a file is not read while somebody writes it; what was read must be what was found.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from specspan._support.files import record_file_reads
from specspan._support.guard import guard, report
from specspan.engine.engine import Engine
from specspan.errors import ConfigurationError
from specspan.policy.policy import Policy
from specspan.record.policy_reloads import PolicyReloadMetrics

# MERGED watched_files: What some files hold, by digest; a file is read again only where it may have changed.


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

    def digests(self, paths: Iterable[str]) -> dict[str, str | None]:
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


_log = logging.getLogger("specspan")
_NEVER = "never"
"""In place of the digest of a file that was neither loaded nor refused yet."""


class PollResult(Enum):
    """What came of one look at the files."""

    UNCHANGED = "unchanged"
    CHANGING = "changing"
    """They changed since the look before: they are read once they stand still."""
    RELOADED = "reloaded"
    REFUSED = "refused"
    """What they hold now cannot be used, and the policy in force stays."""


class PolicyReloader:
    """Looks at a policy's files, one `poll` at a time."""

    def __init__(
        self,
        load: Callable[[], Policy | None],
        read: Digests,
        take_over: Callable[[Engine], None],
        reloads: PolicyReloadMetrics,
        files: WatchedFiles | None = None,
    ) -> None:
        """Begin with a policy that is in force.

        Args:
            load: reads the policy again, or raises.
            read: the files that were read for the policy in force, from `record_file_reads`.
            take_over: puts what was loaded in force.
            reloads: is told what came of it.
            files: looks at files.
        """
        self._load = load
        self._take_over = take_over
        self._reloads = reloads
        self._files = files or WatchedFiles()
        self._tried = _watchable(read)  # what was last loaded, or refused
        self._seen: Digests = self._tried

    def poll(self) -> PollResult:
        """Look at the files, and reload them where that is due."""
        found = self._files.digests(self._tried)
        if found == self._tried:
            self._seen = found
            return PollResult.UNCHANGED
        if found != self._seen:
            self._seen = found
            return PollResult.CHANGING
        return self._reload(found)

    def _reload(self, found: Digests) -> PollResult:
        with record_file_reads() as read:
            engine = self._loaded()
        if any(digest is not None and found.get(path, digest) != digest for path, digest in read.items()):
            return PollResult.CHANGING  # written between the look and the reading
        watchable = _watchable(read)
        if new := {path: digest for path, digest in watchable.items() if path not in found}:
            self._tried = {**self._tried, **dict.fromkeys(new, _NEVER)}
            self._seen = {**found, **new}
            return PollResult.CHANGING  # they, too, must stand still
        if isinstance(engine, Exception):
            self._refuse(engine)
            self._tried = found  # also what the policy in force was read from, in case that comes back
            return PollResult.REFUSED
        self._take_over(engine)
        self._tried = {path: found[path] for path in watchable}
        self._reloads.count_reload()
        _log.info("policy %s is in force, loaded from %s", engine.policy.digest, engine.policy.source)
        return PollResult.RELOADED

    def _loaded(self) -> Engine | Exception:
        try:
            policy = self._load()
            return Engine(policy) if policy is not None else ValueError("there is no policy")
        except Exception as error:  # whatever stands in the file, the application goes on under the policy it has
            return error

    def _refuse(self, error: Exception) -> None:
        self._reloads.count_refusal()
        why = str(error)
        if not isinstance(error, ConfigurationError):
            report("runtime.reload", error)
            why = f"{type(error).__name__}: {error}"
        _log.error("a changed policy was refused, and the one in force stays:\n%s", why)


def _watchable(read: Digests) -> Digests:
    return {path: digest for path, digest in read.items() if is_watchable(path)}


# MERGED watcher: A thread that does the same thing again and again until it is closed.


_CLOSING_S = 1.0


class PollingThread:
    """Polls every ``interval_s`` seconds, from a daemon thread of its own; in a forked child from another."""

    def __init__(self, poll: Callable[[], object], interval_s: float) -> None:
        self.poll = poll
        """What is done."""
        self._interval_s = interval_s
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; the first poll is an interval away."""
        if self._closed.is_set():
            return
        self._thread = threading.Thread(target=self._watch, name="specspan-policy-reload", daemon=True)
        _started.add(self)
        self._thread.start()

    def close(self) -> None:
        """End, and wait a moment for a poll that is under way. It may be called from within one."""
        self._closed.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_CLOSING_S)

    def _watch(self) -> None:
        while not self._closed.wait(self._interval_s):
            with guard("runtime.watcher"):
                self.poll()

    def _start_afresh(self) -> None:
        """In a forked child the thread is gone, and the event's lock may have been held by it."""
        closed, self._closed = self._closed.is_set(), threading.Event()
        self._thread = None
        if closed:
            self._closed.set()
        else:
            self.start()


_started: weakref.WeakSet[PollingThread] = weakref.WeakSet()


def _after_fork() -> None:
    for watcher in tuple(_started):
        with guard("runtime.watcher.fork"):
            watcher._start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
