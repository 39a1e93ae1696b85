"""A changed policy takes the place of the one in force; a broken one does not.

Every file that loading reads is watched: the policy, those it extends, its specs. A change counts once two looks in a
row find the same, so that a file is not read while somebody writes it; what was read must be what was found.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum

from specspan.engine.engine import Engine
from specspan.errors import ConfigurationError
from specspan.guard import report
from specspan.policy.model import Policy
from specspan.record.policy_reloads import PolicyReloads
from specspan.runtime.watched_files import Digests, WatchedFiles, is_watchable
from specspan.textfile import noting_files

_log = logging.getLogger("specspan")
_NEVER = "never"
"""In place of the digest of a file that was neither loaded nor refused yet."""


class Looked(Enum):
    """What came of one look at the files."""

    UNCHANGED = "unchanged"
    CHANGING = "changing"
    """They changed since the look before: they are read once they stand still."""
    RELOADED = "reloaded"
    REFUSED = "refused"
    """What they hold now cannot be used, and the policy in force stays."""


class Reloader:
    """Looks at a policy's files, one `poll` at a time."""

    def __init__(
        self,
        load: Callable[[], Policy | None],
        read: Digests,
        take_over: Callable[[Engine], None],
        reloads: PolicyReloads,
        files: WatchedFiles | None = None,
    ) -> None:
        """Begin with a policy that is in force.

        Args:
            load: reads the policy again, or raises.
            read: the files that were read for the one in force, as `specspan.textfile.noting_files` notes them.
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

    def poll(self) -> Looked:
        """Look at the files, and reload them where that is due."""
        found = self._files.look(self._tried)
        if found == self._tried:
            self._seen = found
            return Looked.UNCHANGED
        if found != self._seen:
            self._seen = found
            return Looked.CHANGING
        return self._reload(found)

    def _reload(self, found: Digests) -> Looked:
        with noting_files() as read:
            engine = self._loaded()
        if any(digest is not None and found.get(path, digest) != digest for path, digest in read.items()):
            return Looked.CHANGING  # written between the look and the reading
        watchable = _watchable(read)
        if new := {path: digest for path, digest in watchable.items() if path not in found}:
            self._tried = {**self._tried, **dict.fromkeys(new, _NEVER)}
            self._seen = {**found, **new}
            return Looked.CHANGING  # they, too, must stand still
        if isinstance(engine, Exception):
            self._refuse(engine)
            self._tried = found  # also what the policy in force was read from, in case that comes back
            return Looked.REFUSED
        self._take_over(engine)
        self._tried = {path: found[path] for path in watchable}
        self._reloads.reloaded()
        _log.info("policy %s is in force, loaded from %s", engine.policy.digest, engine.policy.source)
        return Looked.RELOADED

    def _loaded(self) -> Engine | Exception:
        try:
            policy = self._load()
            return Engine(policy) if policy is not None else ValueError("there is no policy")
        except Exception as error:  # whatever stands in the file, the application goes on under the policy it has
            return error

    def _refuse(self, error: Exception) -> None:
        self._reloads.refused()
        why = str(error)
        if not isinstance(error, ConfigurationError):
            report("runtime.reload", error)
            why = f"{type(error).__name__}: {error}"
        _log.error("a changed policy was refused, and the one in force stays:\n%s", why)


def _watchable(read: Digests) -> Digests:
    return {path: digest for path, digest in read.items() if is_watchable(path)}
