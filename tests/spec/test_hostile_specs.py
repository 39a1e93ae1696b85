"""Any five megabytes are read or refused within the memory and the time that one file may take."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import hostile_specs
import pytest

SCRIPT = Path(hostile_specs.__file__)


@pytest.mark.parametrize("name", hostile_specs.FILES)
def test_five_megabytes_are_bounded(name: str) -> None:
    """Whatever five megabytes hold: no traceback, and at most 256 MB."""
    ran = subprocess.run(
        [sys.executable, str(SCRIPT), name], capture_output=True, encoding="utf-8", timeout=120, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    took = json.loads(ran.stdout)
    assert took["peak_mb"] < 256
    if name in ("json of clauses", "yaml of clauses", "jsonl of clauses"):
        assert int(took["ended"].split()[0]) > 9000
