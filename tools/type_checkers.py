"""Comparison of types before and after decoration: python tools/type_checkers.py [FILE [CHECKER ...]].

FILE, by default `tests/typing/application.py`, calls `reveal_type` on pairs of lines: something plain, then the same
decorated. Each checker must report no error, and the same type for both of every pair. The exit code is 1 otherwise.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).resolve().parents[1]
APPLICATION = ROOT / "tests" / "typing" / "application.py"
BIN = Path(sys.executable).parent
SOURCES = [str(ROOT / "src"), str(ROOT / "exporters" / "sqlite" / "src")]

Report: TypeAlias = "tuple[dict[int, str], list[str]]"
"""Revealed types by line, and errors."""
_MYPY = re.compile(r'^.+?:(\d+)(?::\d+)?: (error|note): (?:Revealed type is "(.+)"|(.+))$', re.MULTILINE)


def run_mypy(file: Path) -> Report:
    """Return what mypy reports."""
    output = _run("mypy", "--cache-dir", str(ROOT / ".mypy_cache" / "typing"), str(file))
    found = _MYPY.findall(output)
    types = {int(line): revealed for line, _, revealed, _ in found if revealed}
    return types, [f"line {line}: {message}" for line, kind, _, message in found if kind == "error"]


def run_pyright(file: Path) -> Report:
    """Return what basedpyright reports, which is pyright with its Node from the registry of Python packages."""
    settings = {"include": [str(file)], "extraPaths": SOURCES, "typeCheckingMode": "strict", "pythonVersion": "3.10"}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyrightconfig.json"
        project.write_text(json.dumps(settings), encoding="utf-8")
        output = _run("basedpyright", "--outputjson", "--project", str(project), "--pythonpath", sys.executable)
    types: dict[int, str] = {}
    errors: list[str] = []
    for each in json.loads(output)["generalDiagnostics"]:
        line, message = each["range"]["start"]["line"] + 1, each["message"]
        if each["severity"] == "information":
            types[line] = message.partition(" is ")[2].strip('"')
        elif each["severity"] == "error":
            errors.append(f"line {line}: {message}")
    return types, errors


def run_pyrefly(file: Path) -> Report:
    """Return what pyrefly reports."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyrefly.toml"
        project.write_text(f"search-path = {json.dumps(SOURCES)}\npython-version = '3.10'\n", encoding="utf-8")
        output = _run("pyrefly", "check", "--config", str(project), "--output-format", "json", str(file))
    types: dict[int, str] = {}
    errors: list[str] = []
    for each in json.loads(output)["errors"]:
        message = each["description"]
        if each["name"] == "reveal-type":
            types[each["line"]] = message.partition(": ")[2]
        else:
            errors.append(f"line {each['line']}: {message}")
    return types, errors


CHECKERS: Mapping[str, Callable[[Path], Report]] = {"mypy": run_mypy, "pyright": run_pyright, "pyrefly": run_pyrefly}


def differences(types: Mapping[int, str], lines: Sequence[int]) -> Iterator[str]:
    """Yield the pairs of lines whose types are not the same, but for the names of the classes."""
    for plain, decorated in zip(lines[::2], lines[1::2], strict=True):
        before, after = types.get(plain), types.get(decorated)
        if before is None or after is None or _undecorated(before) != _undecorated(after):
            yield f"line {decorated}: {after}, not {before}"


def _undecorated(text: str) -> str:
    """Return a type with the names of plain classes and functions in place of decorated ones."""
    return re.sub(r"\bNamed(?=\b|Fields)", "Plain", re.sub(r"\bobserved_", "plain_", text))


def revealing_lines(file: Path) -> list[int]:
    """Return the numbers of the lines that reveal a type."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [number for number, line in enumerate(lines, 1) if line.startswith("reveal_type(")]


def _run(command: str, *arguments: str) -> str:
    result = subprocess.run(  # noqa: S603 - our own
        (str(BIN / command), *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if not result.stdout:
        raise SystemExit(f"{command} reported nothing: {result.stderr}")
    return result.stdout


def main(file: Path, *names: str) -> int:
    """Run the checkers of these names, or all, on the application. Return the exit code."""
    lines = revealing_lines(file)
    problems = []
    for name in names or CHECKERS:
        types, errors = CHECKERS[name](file)
        problems += [f"{name}: {problem}" for problem in (*errors, *differences(types, lines))]
    print("\n".join(problems) or f"types: {len(lines) // 2} pairs are alike to {', '.join(names or CHECKERS)}")
    return 1 if problems else 0


if __name__ == "__main__":
    file, *names = sys.argv[1:] or [str(APPLICATION)]
    sys.exit(main(Path(file).resolve(), *names))
