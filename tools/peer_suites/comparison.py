"""Comparison of a suite's runs with specspan with the one without, and the differences that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import yaml
from tools.peer_suites.run import Run
from tools.peer_suites.suite import HERE


@dataclass(frozen=True, slots=True)
class Difference:
    """Test that is meant to end otherwise with specspan."""

    suite: str
    test: str
    """Address of the test, as a pattern of `fnmatch`."""
    reason: str
    modes: tuple[str, ...] = ()
    """Modes in which it holds; empty for every one."""

    def covers(self, suite: str, mode: str, test: str) -> bool:
        """Return True if a test of this suite may be worse in this mode."""
        return self.suite == suite and (not self.modes or mode in self.modes) and fnmatchcase(test, self.test)


def load_differences(file: Path = HERE / "differences.yaml") -> list[Difference]:
    """Return the differences that are meant."""
    entries = yaml.safe_load(file.read_text(encoding="utf-8"))
    return [Difference(each["suite"], each["test"], each["reason"], tuple(each.get("modes", ()))) for each in entries]


@dataclass(frozen=True, slots=True)
class Row:
    """A suite in one mode beside the run without specspan."""

    suite: str
    version: str
    mode: str
    passed_without: int
    worse: tuple[str, ...]
    """Tests that pass without specspan only, but for the meant ones."""
    meant: tuple[str, ...]
    """Tests that are worse and meant to be."""
    better: int
    """Tests that pass with specspan only."""
    spans: int
    failures: int
    """Failures inside specspan."""
    commit: str = ""
    """Commit of specspan that was run, with a ``+`` where files were changed since."""

    @property
    def is_good(self) -> bool:
        """Return True if nothing is worse, calls were met, and nothing of specspan failed."""
        return not self.worse and self.spans > 0 and not self.failures


def compare(
    suite: str, version: str, mode: str, without: Run, instrumented: Run, differences: Sequence[Difference]
) -> Row:
    """Return how the run in a mode compares with the one without specspan."""
    lost = sorted(without.passed - instrumented.passed)
    meant = tuple(test for test in lost if any(each.covers(suite, mode, test) for each in differences))
    return Row(
        suite,
        version,
        mode,
        passed_without=len(without.passed),
        worse=tuple(test for test in lost if test not in meant),
        meant=meant,
        better=len(instrumented.passed - without.passed),
        spans=instrumented.spans,
        failures=sum(instrumented.failures.values()),
    )
