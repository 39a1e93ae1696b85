"""Tests of the figures of the house, and of their bounds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "house.py"
HEADER = '"""Fixture of a module in plain words."""\n'


def write(folder: Path, modules: dict[str, str]) -> Path:
    """Write the modules of a package, by path without suffix, and return the package's folder."""
    for name, source in modules.items():
        path = folder / "package" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + source, encoding="utf-8")
    return folder / "package"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a developer does."""
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


def figures(folder: Path, **modules: str) -> dict[str, str]:
    """Return the figures of a package by their names."""
    result = run(write(folder, modules))
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    return {line[:32].strip(): line[32:] for line in lines if line[:32].strip()}


def exceeded(folder: Path, modules: dict[str, str]) -> list[str]:
    """Return the lines about exceeded bounds, with which the exit code agrees."""
    result = run("--check", write(folder, modules))
    lines = [line.removeprefix("house: ") for line in result.stdout.splitlines() if line.startswith("house: ")]
    assert (result.returncode, result.stderr) == (int(bool(lines)), "")
    return lines


def test_files_modules_and_lines_are_counted(tmp_path: Path) -> None:
    """Modules of imports and names alone are files without code, and sizes are those of the others."""
    face = "from __future__ import annotations\nfrom package import a\n__all__ = ['a']\n"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import package.a\n"
    modules = {f"m{number}": "x = 1\n" * number for number in range(1, 11)}
    found = figures(tmp_path, __init__=face, typed=typed, empty="", a="__version__ = '1'\n" * 20, **modules)

    assert found["files"] == "14"
    assert found["modules with code"] == "11"
    assert found["lines"] == str(4 + 4 + 1 + 21 + sum(range(2, 12)))
    assert found["per module, median"] == "7"
    assert found["per module, p90"] == "11"
    assert found["per module, max"] == "21 (a.py)"


def test_docstrings_are_counted_by_their_openers_and_words(tmp_path: Path) -> None:
    """Shares are of all docstrings, and a dunder method may be short."""
    methods = (
        '    def __len__(self) -> int:\n        """As above."""\n    def go(self) -> None:\n        """Go on."""\n'
    )
    found = figures(tmp_path, a=f'class A:\n    """What a caller is given."""\n{methods}')

    assert found["docstrings"] == "4"
    assert found["with an opener"] == "1 (25.0%)"
    assert found["of 3 words or fewer"] == "1"


@pytest.mark.parametrize(
    "name", ["asked", "_told", "found", "answered", "kept", "unseen", "rewritten", "agreed", "made_"]
)
def test_a_bare_participle_is_counted(tmp_path: Path, name: str) -> None:
    """Regular and irregular participles are found in functions, coroutines and methods."""
    source = f"def {name}(): ...\nasync def {name}(): ...\nclass A:\n    def {name}(self): ...\n    def go(self): ...\n"
    found = figures(tmp_path, a=source)

    assert found["functions and methods"] == "4"
    assert found["named by a participle"] == "3 (75.0%)"


@pytest.mark.parametrize(
    "name", ["ask", "read", "cut", "put", "run", "need", "feed", "embed", "is_closed", "asked_for", "__told__", "Told"]
)
def test_another_name_is_not_counted_as_a_participle(tmp_path: Path, name: str) -> None:
    """Verbs that look like participles, longer names and dunder names are left out."""
    assert figures(tmp_path, a=f"def {name}(): ...\n")["named by a participle"] == "0 (0.0%)"


def test_the_share_of_participles_is_of_the_names_of_one_word(tmp_path: Path) -> None:
    """Longer names and dunder names do not dilute the share."""
    names = ["asked", "_ask", "answer", "build_request", "is_closed", "__init__"]
    found = figures(tmp_path, a="".join(f"def {name}(): ...\n" for name in names))

    assert found["named by a participle"] == "1 (16.7%)"
    assert found["of the names of one word"] == "1 of 3 (33.3%)"


def test_a_package_in_plain_words_exceeds_no_bound(tmp_path: Path) -> None:
    """Small modules with names of their own that import in one direction pass."""
    modules = {
        "__init__": "from package.spec.load import load\n__all__ = ['load']\n",
        "spec/__init__": "",
        "spec/load": "from package.spec import model\ndef load(check): return getattr(model, 'load', check)\n",
        "spec/model": "def build(): ...\n",
        "policy/__init__": "",
        "policy/bind": "def bind():\n    from ..spec.load import load\n    return load(1)\n",
    }
    assert exceeded(tmp_path, modules) == []


@pytest.mark.parametrize(("lines", "is_exceeded"), [(400, False), (401, True)])
def test_a_module_has_at_most_400_lines(tmp_path: Path, lines: int, is_exceeded: bool) -> None:
    """Its path is named with its lines."""
    expected = ["spec/large.py has 401 lines, more than 400: make it two modules"] if is_exceeded else []
    assert exceeded(tmp_path, {"spec/large": "x = 1\n" * (lines - 1)}) == expected


@pytest.mark.parametrize(("openers", "is_exceeded"), [(2, False), (3, True)])
def test_two_openers_in_a_hundred_docstrings_are_allowed(tmp_path: Path, openers: int, is_exceeded: bool) -> None:
    """The bound is that of the checker of docstrings."""
    firsts = ["What a check is asked." if number < openers else "Return the answer given." for number in range(99)]
    source = "".join(f'def go{number}():\n    """{first}"""\n' for number, first in enumerate(firsts))
    expected = "3.0% of the docstrings have an opener, more than 2%: see tools/prose.py"
    assert exceeded(tmp_path, {"a": source}) == ([expected] if is_exceeded else [])


@pytest.mark.parametrize(("participles", "is_exceeded"), [(6, False), (7, True)])
def test_six_participles_in_a_hundred_names_of_one_word_are_allowed(
    tmp_path: Path, participles: int, is_exceeded: bool
) -> None:
    """The commonest participles are named as the first to change."""
    names = ["asked" if number < participles else f"go{number}" for number in range(100)]
    expected = "7.0% of the names of one word are participles, more than 6%: rename asked"
    source = "".join(f"def {name}(): ...\n" for name in names)
    assert exceeded(tmp_path, {"a": source}) == ([expected] if is_exceeded else [])


def test_modules_of_one_name_in_several_rooms_are_named(tmp_path: Path) -> None:
    """Nested rooms and the package itself are rooms too, and faces of packages are left out."""
    modules = {"load": "", "spec/load": "", "record/tail/json": "", "spec/json": "", "spec/model": ""}
    faces = {"__init__": "", "spec/__init__": "", "record/tail/__init__": ""}
    assert exceeded(tmp_path, {**modules, **faces}) == [
        "json.py stands in record/tail, spec: give each module a name of its own",
        "load.py stands in ., spec: give each module a name of its own",
    ]


def test_modules_that_are_found_by_their_names_may_share_one(tmp_path: Path) -> None:
    """A command, provider or reader is named after what it adds, also inside a provider's folder."""
    plugins = ["spec/readers/yaml", "spec/writers/yaml", "instrument/providers/acme/chat", "instrument/providers/chat"]
    assert exceeded(tmp_path, dict.fromkeys([*plugins, "spec/chat"], "")) == []


@pytest.mark.parametrize(
    "code",
    ["getattr(check, 'needs', None)", "hasattr(slot.check, 'needs')", "getattr(self._check, 'needs')"],
)
def test_an_attribute_of_a_check_that_is_looked_up_by_name_is_found(tmp_path: Path, code: str) -> None:
    """The place is named with its line."""
    expected = "engine/slots.py:3 looks up an attribute of a check by name: declare it in the protocol"
    assert exceeded(tmp_path, {"engine/slots": f"def go(check, slot, self):\n    return {code}\n"}) == [expected]


@pytest.mark.parametrize(
    "code", ["getattr(call, 'check')", "check.needs", "getattr(checks, 'needs')", "go(check, 'a')"]
)
def test_another_lookup_is_not_one_of_a_check(tmp_path: Path, code: str) -> None:
    """Declared attributes and lookups on other objects are allowed."""
    assert exceeded(tmp_path, {"engine/slots": f"x = {code}\n"}) == []


@pytest.mark.parametrize(
    ("there", "back", "marked"),
    [
        ("from package.b import go", "def go(): ...\nimport package.a", ""),
        ("from .b import go", "def go():\n    from package import a", " (in a function)"),
        ("import package.b as b", "async def go():\n    from . import a", " (in a function)"),
        (
            "from package import b",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from package.a import A",
            " (for types only)",
        ),
        ("class A:\n    from package import b", "try:\n    from package import a\nexcept ImportError: ...", ""),
    ],
    ids=["at the top", "in a function", "in a coroutine function", "for types only", "in a block"],
)
def test_an_import_circle_is_found_wherever_its_imports_stand(
    tmp_path: Path, there: str, back: str, marked: str
) -> None:
    """Each import of the circle is listed with its line and its place."""
    package = write(tmp_path, {"__init__": "", "a": f"{there}\n", "b": f"{back}\n", "c": "from package import a\n"})
    result = run("--check", package)

    assert result.returncode == 1
    assert "import circles                  1\n" in result.stdout
    (listed,) = [line for line in result.stdout.splitlines() if "package.b:" in line]
    assert listed.endswith(f" imports package.a{marked}")
    assert result.stdout.splitlines()[-1].startswith("house: package.a, package.b import one another in a circle")


def test_circles_through_several_modules_are_listed_apart(tmp_path: Path) -> None:
    """Modules that only lead to a circle or away from it are no part of it."""
    edges = {
        "a": "b",
        "b": "room.c",
        "room/c": "a",
        "d": "a",
        "room/e": "room.f",
        "room/f": "room.e",
        "g": "h",
        "h": "os",
    }
    modules = {name: f"import package.{other}\n" for name, other in edges.items()}
    assert exceeded(tmp_path, modules) == [
        f"{circle} import one another in a circle: move what they share below them"
        for circle in ("package.a, package.b, package.room.c", "package.room.e, package.room.f")
    ]


def test_a_name_that_a_package_gives_out_is_imported_from_its_face(tmp_path: Path) -> None:
    """A module below a package that imports a name from it makes a circle, and one that imports a sibling does not."""
    face = "from .a import go\n"
    modules = {"room/__init__": face, "room/b": "from package.room import a\n", "room/a": "from . import b\n"}
    assert len(exceeded(tmp_path, {**modules, "room/b": ""})) == 0
    assert exceeded(tmp_path, {**modules, "room/b": "from package.room import go\n"}) == [
        "package.room, package.room.a, package.room.b import one another in a circle: move what they share below them"
    ]


def test_a_package_with_exceeded_bounds_is_shown_without_failing(tmp_path: Path) -> None:
    """Bounds are looked at only when they are asked for."""
    assert run(write(tmp_path, {"a": "x = 1\n" * 500})).returncode == 0


def test_a_folder_without_python_files_is_refused(tmp_path: Path) -> None:
    """A mistyped folder is not a package without faults."""
    result = run("--check", tmp_path / "absent")

    assert result.returncode == 1
    assert "no Python files below" in result.stderr
