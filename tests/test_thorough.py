"""The choice of what a quick run leaves out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SUPPORT = Path(__file__).parent / "support"
TESTS = """
import pytest
from thorough import examples

ROWS = [(way, action) for way in ("plain", "stream", "async") for action in ("block", "redact")]

@pytest.mark.table
@pytest.mark.parametrize(("way", "action"), ROWS)
def test_row(way, action):
    pass

@pytest.mark.table(every=3)
@pytest.mark.parametrize("number", range(5))
def test_trial(number):
    pass

@pytest.mark.thorough
def test_dear():
    pass

@pytest.mark.thorough
@pytest.mark.table(every=2)
@pytest.mark.parametrize("number", range(2))
def test_dear_row(number):
    pass

@pytest.mark.parametrize("number", [examples(100)])
def test_property(number):
    pass
"""
QUICK = {
    "row[plain-block]",
    "row[plain-redact]",
    "row[stream-block]",
    "row[async-block]",
    "property[20]",
    "trial[0]",
    "trial[3]",
}
THOROUGH = {f"row[{way}-{action}]" for way in ("plain", "stream", "async") for action in ("block", "redact")} | {
    *(f"trial[{number}]" for number in range(5)),
    "dear",
    "dear_row[0]",
    "dear_row[1]",
    "property[100]",
}


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        (("-p", "random_order", "test_it.py"), QUICK),
        (("--thorough", "test_it.py"), THOROUGH),
        (("test_it.py::test_dear", "test_it.py::test_row[async-redact]"), {"dear", "row[async-redact]"}),
    ],
    ids=["quick", "thorough", "named"],
)
def test_every_value_of_a_table_is_in_a_quick_run(tmp_path: Path, arguments: tuple[str, ...], chosen: set[str]) -> None:
    """The rest is left to the option, and what is named by its address runs in any case; the order is no matter."""
    (tmp_path / "test_it.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "random_order.py").write_text(
        "import pytest\n@pytest.hookimpl(tryfirst=True)\n"
        "def pytest_collection_modifyitems(items):\n    items.reverse()\n",
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        os.devnull,
        "--rootdir=.",
        "-p",
        "thorough",
        "--collect-only",
        "-q",
    ]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((str(SUPPORT), str(tmp_path)))}
    ran = subprocess.run([*command, *arguments], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    assert set(re.findall(r"::test_(.+)$", ran.stdout, re.MULTILINE)) == chosen
