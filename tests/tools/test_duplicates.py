"""The duplicate finder of `make check`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "duplicates.py"
STEPS = "\n".join(f"    {name} = {{wait}}step({name}, {number})" for number, name in enumerate("abcdefghijklmnop"))


def found_in(folder: Path, **modules: str) -> subprocess.CompletedProcess[str]:
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    return subprocess.run([sys.executable, str(TOOL), str(folder)], capture_output=True, text=True, check=False)


def body(wait: str = "", lines: int = 16) -> str:
    return "\n".join(STEPS.format(wait=wait).splitlines()[:lines])


def test_a_function_beside_its_async_twin_is_found(tmp_path: Path) -> None:
    """A copy that differs in nothing but its awaiting is named with both places."""
    found = found_in(tmp_path, one=f"def go(a):\n{body()}\n\n\nasync def ago(a):\n{body('await ')}\n")

    assert found.returncode == 1
    assert "one.py:1 go" in found.stdout
    assert "ago share 16 lines" in found.stdout


def test_a_copy_in_another_module_is_found_whatever_its_comments(tmp_path: Path) -> None:
    """Comments, docstrings and layout make no other code of a copy, and half as much of it is enough as of a twin."""
    other = f'def b(a):\n    """Another."""\n    # why\n{body(lines=7)}\n    return a\n'

    assert found_in(tmp_path, one=f"def go(a):\n{body(lines=7)}\n", two=other).returncode == 1


def test_a_thin_driver_may_exist_twice(tmp_path: Path) -> None:
    """What is short and has to await is no near-copy."""
    source = f"def go(a):\n{body(lines=13)}\n\n\nasync def ago(a):\n{body('await ', 13)}\n"

    assert found_in(tmp_path, one=source).returncode == 0


def test_every_provider_is_counted_with_the_modules_it_is_made_of(tmp_path: Path) -> None:
    """A provider's lines are those of its module, or of all modules of its folder."""
    spec = importlib.util.spec_from_file_location("adapter_lines", TOOL.with_name("adapter_lines.py"))
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    (tmp_path / "pythia").mkdir()
    for name, lines in {"delphi": 3, "__init__": 1, "pythia/__init__": 1, "pythia/stream": 2}.items():
        (tmp_path / f"{name}.py").write_text("x = 1\n" * lines, encoding="utf-8")

    assert tool.by_provider(tmp_path) == {"delphi": {"delphi": 3}, "pythia": {"__init__": 1, "stream": 2}}
