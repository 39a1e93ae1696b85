"""Reloading of a policy whose files change; a policy that is refused leaves the one before it in force.

Every file that loading reads is watched: the policy, those it extends, its specs. A change counts once two polls in a
row find the same bytes, so that a file is not read while somebody writes it, and what was read must be what was found.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from specspan._support import process
from specspan._support.background import start_thread
from specspan._support.files import record_file_reads
from specspan._support.guard import contain, guard
from specspan.engine.deferral import BackgroundRunner
from specspan.engine.engine import Engine
from specspan.engine.shadowing import Shadow
from specspan.errors import ConfigurationError
from specspan.policy.policy import Policy
from specspan.record.policy_reloads import PolicyReloadMetrics

Digests: TypeAlias = Mapping[str, str | None]
"""Digest of each file's bytes, by path; None for a file that cannot be read."""

UNCERTAIN_NS = 2 * 10**9
"""Age below which a file may change again without a later time: file systems count in steps of up to 2 s."""
_MAX_BYTES = 16 << 20  # as much as anything that is watched may have
_CLOSING_S = 1.0
_NEVER_READ = "never"
"""Digest of a file that was neither loaded nor refused yet."""
_log = logging.getLogger("specspan")


class PollResult(Enum):
    """Outcome of one poll."""

    UNCHANGED = "unchanged"
    CHANGING = "changing"
    """The files changed since the poll before: they are read once they stand still."""
    RELOADED = "reloaded"
    REFUSED = "refused"
    """The changed files cannot be used, and the policy in force stays."""


class PolicyReloader:
    """Loader of a changed policy, one `poll` at a time."""

    def __init__(
        self,
        load: Callable[[], Policy | None],
        read: Digests,
        swap_engine: Callable[[Engine], None],
        metrics: PolicyReloadMetrics,
        files: WatchedFiles | None = None,
        background: BackgroundRunner | None = None,
        shadow_of: Callable[[Policy], Shadow | None] = lambda _: None,
        note_refusal: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Begin with a policy that is in force.

        Args:
            load: reads the policy again, or raises.
            read: the files that were read for the policy in force, from `record_file_reads`.
            swap_engine: puts a loaded policy in force.
            metrics: counts what was loaded and refused.
            files: reads the files' digests.
            background: runs the checks of a loaded policy that go on after the decision.
            shadow_of: returns the candidate of a loaded policy.
            note_refusal: keeps the reason for which a policy was refused.
        """
        self._load = load
        self._swap_engine = swap_engine
        self._metrics = metrics
        self._files = files or WatchedFiles()
        self._background = background
        self._shadow_of = shadow_of
        self._note_refusal = note_refusal
        self._settled = _watchable(read)  # what was last loaded, or refused
        self._last_seen: Digests = self._settled

    def poll(self) -> PollResult:
        """Compare the files with those last loaded or refused, and reload them where that is due."""
        digests = self._files.digests(self._settled)
        if digests == self._settled:
            self._last_seen = digests
            return PollResult.UNCHANGED
        if digests != self._last_seen:
            self._last_seen = digests
            return PollResult.CHANGING
        return self._reload(digests)

    def _reload(self, digests: Digests) -> PollResult:
        with record_file_reads() as read:
            engine = self._load_engine()
        if any(digest is not None and digests.get(path, digest) != digest for path, digest in read.items()):
            return PollResult.CHANGING  # written between the poll and the reading
        watchable = _watchable(read)
        if new := {path: digest for path, digest in watchable.items() if path not in digests}:
            self._settled = {**self._settled, **dict.fromkeys(new, _NEVER_READ)}
            self._last_seen = {**digests, **new}
            return PollResult.CHANGING  # they, too, must stand still
        if isinstance(engine, Exception):
            self._settled = digests  # also what the policy in force was read from, in case that comes back
            self._refuse(engine)
            return PollResult.REFUSED
        self._swap_engine(engine)
        self._settled = {path: digests[path] for path in watchable}
        self._metrics.count_reload()
        _log.info("policy %s is in force, loaded from %s", engine.policy.digest, engine.policy.source)
        return PollResult.RELOADED

    def _load_engine(self) -> Engine | Exception:
        try:
            policy = self._load()
            if policy is None:
                return ValueError("missing policy")
            return Engine(policy, background=self._background, shadow=self._shadow_of(policy))
        except Exception as error:  # whatever stands in the file, the application goes on under the policy it has
            return error

    def _refuse(self, error: Exception) -> None:
        self._metrics.count_refusal()
        is_internal = not isinstance(error, ConfigurationError)
        reason = f"{type(error).__name__}: {error}" if is_internal else str(error)
        _log.error("a changed policy was refused, and the one in force stays:\n%s", reason)
        self._note_refusal(reason)
        if is_internal:
            contain("runtime.reload", error)


def _watchable(read: Digests) -> Digests:
    return {path: digest for path, digest in read.items() if is_watchable(path)}


def is_watchable(path: str) -> bool:
    """Return whether a path can be read again: a file, or nothing yet. A pipe gives its text once."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - the path may be one that pathlib refuses
    except (OSError, ValueError):
        return True


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Status of a file, some of which changes when the file is written or replaced."""

    device: int
    inode: int
    size_bytes: int
    modified_ns: int
    changed_ns: int


class WatchedFiles:
    """Reader of files' digests that reads a file again only where it may have changed. Links are followed."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._known: dict[str, tuple[_Stamp, str | None]] = {}

    def digests(self, paths: Iterable[str]) -> dict[str, str | None]:
        """Return the digest of each file as it is now."""
        return {path: self._digest(path) for path in paths}

    def _digest(self, path: str) -> str | None:
        stamp = _read_stamp(path)
        if stamp is None:
            return None
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        digest = _read_digest(path)
        if self._now_ns() - max(stamp.modified_ns, stamp.changed_ns) > UNCERTAIN_NS:
            self._known[path] = (stamp, digest)
        return digest


def _read_stamp(path: str) -> _Stamp | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - as above
    except (OSError, ValueError):
        return None
    return _Stamp(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _read_digest(path: str) -> str | None:
    try:
        with Path(path).open("rb") as file:
            return f"sha256:{sha256(file.read(_MAX_BYTES + 1)).hexdigest()}"
    except (OSError, ValueError):
        return None


class PollingThread:
    """Daemon thread that polls every ``interval_s`` seconds; a forked child starts a thread of its own."""

    def __init__(self, poll: Callable[[], object], interval_s: float) -> None:
        self.poll = poll
        """Function that the thread calls."""
        self._interval_s = interval_s
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; the first poll is an interval away."""
        if self._closed.is_set():
            return
        process.after_fork(self)
        self._start_thread()

    def close(self) -> None:
        """End the thread, and wait a moment for a poll that is under way. A poll itself may call this."""
        self._closed.set()
        thread = self._thread
        if thread is not None and thread.ident is not None and thread is not threading.current_thread():
            thread.join(_CLOSING_S)

    def after_fork(self) -> None:
        """Start anew in a forked child: the thread is gone, and it may have held the event's lock."""
        is_closed, self._closed = self._closed.is_set(), threading.Event()
        self._thread = None
        if is_closed:
            self._closed.set()
        else:
            with guard("runtime.watcher.fork"):
                self._start_thread()

    def _start_thread(self) -> None:
        self._thread = threading.Thread(target=self._run, name="specspan-policy-reload", daemon=True)
        start_thread(self._thread, "changes of the policy's files are not noticed")

    def _run(self) -> None:
        while not self._closed.wait(self._interval_s):
            with guard("runtime.watcher"):
                self.poll()
