"""One run of a suite in one mode, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.peer_suites.suite import HERE, Suite

WITHOUT = "without"
MODES: Mapping[str, tuple[str, str]] = {
    "observing": ("policy.yaml", "observe"),
    "enforcing": ("policy.yaml", "enforce"),
    "timed": ("timed.yaml", "enforce"),
}
"""Policy and mode of each instrumented run."""
_OPTIONS = (
    *("-p", "outcomes", "-p", "no:randomly", "-p", "no:cacheprovider", "-q", "--tb=short"),
    "--continue-on-collection-errors",  # tests of what cannot be had here do not count
)
_SECRET = ("_API_KEY", "_TOKEN", "_SECRET", "_PROXY", "_proxy")
_TIME_LIMIT_S = 4 * 3600  # a whole suite takes twenty minutes of processor time, on a machine that may do other work


@dataclass(frozen=True, slots=True)
class Run:
    """Outcome of one run."""

    statuses: Mapping[str, str]
    """`passed`, `skipped` or `failed`, by the address of the test."""
    spans: int = 0
    """Spans that specspan made."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failures inside specspan, by place."""

    @property
    def passed(self) -> frozenset[str]:
        """Addresses of the tests that passed."""
        return frozenset(test for test, status in self.statuses.items() if status == "passed")


def run_suite(suite: Suite, mode: str, arguments: Sequence[str], base_url: str) -> Run:
    """Run tests of a suite in a mode.

    Raises:
        RuntimeError: pytest ran no tests, or ended before it could say how they ended.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = _environ(suite, mode, folder, base_url)
        options = _OPTIONS if mode == WITHOUT else ("-p", "instrumentation", *_OPTIONS)
        command = (str(suite.python), "-m", "pytest", *options, *_one_process(suite), *arguments)
        log = suite.folder / f"{mode}.log"
        with log.open("wb") as output:
            subprocess.run(  # noqa: S603 - our own
                command,
                cwd=suite.sources,
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
                stdin=subprocess.DEVNULL,
                timeout=_TIME_LIMIT_S,
            )
        statuses = _read_json(folder / "outcomes.json")
        if not statuses:
            raise RuntimeError(f"no test of {suite.name} ran ({mode}); {log} says why")
        recorded = _read_json(folder / "recorded.json")
        return Run(statuses, recorded.get("spans", 0), recorded.get("failures", {}))


def _one_process(suite: Suite) -> tuple[str, ...]:
    return ("-n", "0") if "pytest-xdist" in suite.requires else ()


def _environ(suite: Suite, mode: str, folder: Path, base_url: str) -> dict[str, str]:
    """Return the environment of the process: the caller's, without credentials and proxies."""
    environ = {name: value for name, value in os.environ.items() if not name.endswith(_SECRET)}
    policy, policy_mode = MODES.get(mode, ("", ""))
    return environ | {
        "PYTHONPATH": str(HERE / "plugins"),
        "PYTHONHASHSEED": "0",
        "TEST_API_BASE_URL": base_url,
        "PEER_OUTCOMES": str(folder / "outcomes.json"),
        "PEER_RECORDED": str(folder / "recorded.json"),
        "PEER_POLICY": str(HERE / policy),
        "PEER_POLICY_MODE": policy_mode,
    }


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
