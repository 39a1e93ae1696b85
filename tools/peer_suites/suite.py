"""A package whose own test suite is run, as `suites.yaml` describes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".peer-suites"
"""Released sources and environments, which git ignores."""


class NotToBeHadError(Exception):
    """What a registry has elsewhere cannot be had here, or does not work here; the message says why."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Test suite of one released package."""

    name: str
    """Name of the package in the registry."""
    version: str
    requires: tuple[str, ...]
    """Packages that the tests import besides the dependencies of the package."""
    arguments: tuple[str, ...] = ("tests",)
    """Arguments of pytest: paths and options."""
    quick: tuple[str, ...] = ()
    """Arguments of the short run; empty where the suite has no part in it."""
    unpinned: tuple[str, ...] = ()
    """Packages that the authors' lock file has in versions which cannot be had."""
    description: str = ""
    """Interface description that generated tests are run against, as ``openai/official``; empty where there is none."""

    @property
    def folder(self) -> Path:
        """Folder in the cache with all that belongs to this version."""
        return CACHE / f"{self.name}-{self.version}"

    @property
    def python(self) -> Path:
        """Interpreter of the suite's own environment."""
        return self.folder / "venv" / "bin" / "python"

    @property
    def sources(self) -> Path:
        """Folder of the released sources."""
        return self.folder / "sources"


def load_suites(names: Sequence[str] = (), file: Path = HERE / "suites.yaml") -> list[Suite]:
    """Return the suites of these names, or all.

    Raises:
        SystemExit: a name is unknown.
    """
    table = yaml.safe_load(file.read_text(encoding="utf-8"))
    unknown = [name for name in names if name not in table]
    if unknown:
        raise SystemExit(f"unknown suite {unknown[0]!r}: {file.name} has {', '.join(table)}")
    return [_read(name, table[name]) for name in names or table]


def _read(name: str, entry: Mapping[str, Any]) -> Suite:
    arguments = tuple(entry.get("arguments", ("tests",)))
    quick = entry.get("quick", ())
    return Suite(
        name,
        entry["version"],
        tuple(entry["requires"]),
        arguments,
        arguments if quick is True else tuple(quick),
        tuple(entry.get("unpinned", ())),
        entry.get("description", ""),
    )
