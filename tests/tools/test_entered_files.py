"""Tests of the count of files that a call enters."""

from __future__ import annotations

import importlib
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "entered_files.py"


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a package of two modules, one of which calls the other."""
    (tmp_path / "entered_fixture").mkdir()
    calls = "    second.go()\n    second.go()\n    return list(second.numbers())\n"
    first = f"from entered_fixture import second\ndef go():\n{calls}"
    second = "def go(): ...\ndef numbers():\n    yield 1\n    yield 2\n"
    for name, source in {"__init__": "", "first": first, "second": second}.items():
        (tmp_path / "entered_fixture" / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("entered_fixture.first")
    for name in [name for name in sys.modules if name.startswith("entered_fixture")]:
        del sys.modules[name]


def test_functions_below_the_folder_are_counted_with_their_files(package: Any) -> None:
    """A resumed generator is entered again, and functions of other folders are left out."""
    entries = runpy.run_path(str(TOOL))["record_entries"](
        lambda: re.sub("a", str, str(package.go())), folder_of(package)
    )

    assert entries.files == ("first.py", *["second.py"] * 5)
    assert str(entries) == "2 files, 6 calls, 1 switches"


def test_a_folder_whose_name_only_starts_alike_is_another(package: Any, tmp_path: Path) -> None:
    """Files are compared by whole folders."""
    assert runpy.run_path(str(TOOL))["record_entries"](package.go, tmp_path / "entered_fix").files == ()


def test_entries_into_files_of_other_work_can_be_left_out(package: Any) -> None:
    """Switches are counted over the entries that are left."""
    tool = runpy.run_path(str(TOOL))
    whole = tool["record_entries"](package.go, folder_of(package))
    other = tool["record_entries"](package.second.go, folder_of(package))

    assert str(whole.without(other)) == "1 files, 1 calls, 0 switches"


def test_the_smallest_of_several_runs_is_counted(package: Any) -> None:
    """Calls that work makes only at first, or only now and then, are left out."""
    runs = 0

    def work() -> None:
        nonlocal runs
        runs += 1
        package.second.go()
        if runs == 1 or runs % 2:
            package.go()

    smallest = runpy.run_path(str(TOOL))["smallest_run"](work, folder_of(package))
    assert smallest.files == ("second.py",)


def test_profiling_ends_when_the_work_fails(package: Any) -> None:
    """An error is raised unchanged and leaves no profiler behind."""
    with pytest.raises(ZeroDivisionError):
        runpy.run_path(str(TOOL))["record_entries"](lambda: 1 / 0, folder_of(package))
    assert sys.getprofile() is None


@pytest.mark.thorough
def test_each_piece_of_work_enters_files_of_the_package(tmp_path: Path) -> None:
    """A policy file, a plain call and a streamed call are measured through the real client."""
    command = [sys.executable, str(ROOT / "tools" / "house.py"), "--entered", str(ROOT / "src" / "specspan")]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, encoding="utf-8", check=False)

    assert (result.returncode, result.stderr) == (0, "")
    lines = re.findall(r"^entered by a (.+?) +(\d+) files, (\d+) calls, (\d+) switches$", result.stdout, re.MULTILINE)
    counts = {name: tuple(map(int, numbers)) for name, *numbers in lines}
    assert list(counts) == ["policy file", "plain call", "streamed call"]
    assert all(10 < files <= switches < calls for files, calls, switches in counts.values())
    assert counts["plain call"] < counts["streamed call"]  # it enters what a plain one does, and more


@pytest.mark.thorough
def test_files_are_listed_on_demand() -> None:
    """Each file of a plain call stands below it with its calls, and the checks of the policy are among them."""
    result = subprocess.run([sys.executable, str(TOOL), "--files"], capture_output=True, text=True, check=True)
    _, _, rest = result.stdout.partition("entered by a plain call")
    head, *files = rest.partition("entered by a streamed call")[0].splitlines()

    assert len(files) == int(head.split()[0])
    assert all((ROOT / "src" / "specspan" / line.split()[0]).is_file() for line in files)
    assert any(line.split()[0].startswith("checks/") for line in files)


def folder_of(package: Any) -> Path:
    """Return the folder of the fixture's package."""
    return Path(package.__file__).parent
