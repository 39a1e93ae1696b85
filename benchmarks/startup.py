"""Processor time of starting up: imports, the command line, and a policy that comes into force in a new process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cost.policies import write_policy
from benchmarks.measure import Row

_RUNS = 7
_CLAUSES = 60
_SDK = "import opentelemetry.sdk.trace"
_CONFIGURE = """
import sys, time, specspan
from opentelemetry.sdk.trace import TracerProvider
specspan.configure
start_s = time.process_time()
specspan.configure(sys.argv[1], tracer_provider=TracerProvider(), decision_exporters=[], ledger=False)
print(time.process_time() - start_s)
"""


def main() -> Iterator[Row]:
    """Yield the rows: each the least of some processes."""
    python = [sys.executable, "-c"]
    sdk_us = _least_us([*python, _SDK]) - (nothing_us := _least_us([*python, "pass"]))
    yield Row(
        "import specspan (beside opentelemetry.sdk.trace)",
        _least_us([*python, "import specspan"]) - nothing_us,
        sdk_us,
        1.5,
    )
    used = "from specspan import configure, observe"
    yield Row("the same, with what configures and decorates", _least_us([*python, used]) - nothing_us, sdk_us)
    command = [*python, "from specspan.cli.start import main; main()", "--help"]
    yield Row("specspan --help (beside 150 ms)", _least_us(command), 150_000, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        policy = write_policy(Path(folder), _CLAUSES)
        taken_us = min(float(_run([*python, _CONFIGURE, str(policy)])) for _ in range(_RUNS)) * 1e6
    yield Row(f"configure with {_CLAUSES} bound clauses (beside 100 ms)", taken_us, 100_000, 1.0)


def _least_us(command: list[str]) -> float:
    """Return the least processor time of a command's process, in µs."""
    taken = []
    for _ in range(_RUNS):
        before = os.times()
        _run(command)
        after = os.times()
        taken.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(taken) * 1e6


def _run(command: list[str]) -> str:
    # other people's plug-ins of pydantic, such as Logfire's, are imported with the first model of a process
    environment = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
