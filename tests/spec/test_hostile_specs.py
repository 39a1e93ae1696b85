"""Any five megabytes are read or refused within the memory and the time that one file may take."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hostile_specs
import pytest

SCRIPT = Path(hostile_specs.__file__)


@pytest.fixture(scope="module")
def loader() -> Iterator[subprocess.Popen[str]]:
    """A process that loads what it is asked for, each in a copy of itself: it need not be started for each."""
    with subprocess.Popen(
        [sys.executable, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.mark.parametrize("name", hostile_specs.FILES)
@pytest.mark.table(every=14)
def test_five_megabytes_are_bounded(name: str, loader: subprocess.Popen[str]) -> None:
    """Whatever five megabytes hold: no traceback, and at most 256 MB."""
    assert loader.stdin is not None
    assert loader.stdout is not None
    print(name, file=loader.stdin, flush=True)
    took = json.loads(loader.stdout.readline())
    assert took["status"] == 0
    assert took["peak_mb"] < 256
    if name in ("json of clauses", "yaml of clauses", "jsonl of clauses"):
        assert int(took["ended"].split()[0]) > 9000
