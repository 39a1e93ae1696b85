"""Specs whose text a console can show, by the digest that decisions name: a text of another version is never shown."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from specspan._support.process import ForkedLock
from specspan.errors import ConfigurationError
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.spec.read import load_spec
from specspan.spec.spec import Clause, Spec

_log = logging.getLogger("specspan")


class KnownSpecs:
    """Specs of the files that were named, of the policy, and of the demo."""

    def __init__(self, paths: Iterable[Path], policy: Path | None, environment: str | None) -> None:
        self._paths = tuple(paths)
        self._policy_path = policy
        self._environment = environment
        self._lock = ForkedLock()
        self._specs: dict[str, Spec] = {}
        self._seen: dict[Path, int] = {}

    def load_policy(self) -> tuple[Policy | None, str | None]:
        """Return the policy as its files are now, and what its loading says against it; None for either."""
        if self._policy_path is None:
            return None, None
        try:
            return load_policy(self._policy_path, environment=self._environment), None
        except (ConfigurationError, OSError) as error:
            return None, str(error)

    def by_digest(self) -> Mapping[str, Spec]:
        """Return every spec that is known, by digest; files that changed are read again."""
        with self._lock.held:
            for path in self._files():
                self._read(path)
            return dict(self._specs)

    def find(self, digest: object) -> Spec | None:
        """Return the spec of a digest, as a decision names it."""
        return self.by_digest().get(str(digest)) if digest else None

    def find_clause(self, digest: object, clause: object) -> Clause | None:
        """Return a clause of the spec of a digest."""
        spec = self.find(digest)
        return spec.clauses.get(str(clause)) if spec else None

    def _files(self) -> Iterator[Path]:
        yield from self._paths
        material = files("specspan.demo") / "material" / "support_desk.md"
        if isinstance(material, Path):
            yield material

    def _read(self, path: Path) -> None:
        try:
            changed_ns = path.stat().st_mtime_ns
            if self._seen.get(path) == changed_ns:
                return
            self._seen[path] = changed_ns
            spec = load_spec(path)
        except (ConfigurationError, OSError) as error:
            _log.warning("the console cannot show the spec %s: %s", path, error)
            return
        self._specs[spec.digest] = spec

    def add(self, specs: Iterable[Spec]) -> None:
        """Add specs that were loaded elsewhere, such as those of a policy."""
        with self._lock.held:
            self._specs.update({spec.digest: spec for spec in specs})
