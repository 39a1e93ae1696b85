"""The page of seams names what stands in the code: each class, function, member and parameter."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "seams.md"
_PLACE = re.compile(r"# ([a-z_]+(?:/[a-z_]+)*)\.py")
_MEMBER = re.compile(r"    (?:def )?([a-z_]+(?:, [a-z_]+)*)(?=[:( ]|$)")


def named() -> Iterator[tuple[str, str, str, str]]:
    """Yield path, class or function, member or "", and the line, of each entry that says where it stands."""
    path = owner = ""
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            if match := re.match(r"(?:async )?(class|def) (\w+)", line):
                place = _PLACE.search(line)
                path, owner = (place[1], match[2]) if place else ("", "")
                if path:
                    yield path, owner, "", line if match[1] == "def" else ""
                if match[1] == "def":
                    path = ""
            elif path and (member := _MEMBER.match(line)):
                for name in member[1].split(", "):
                    yield path, owner, name, line if "def " in line else ""


def parameters(line: str) -> set[str]:
    """Return the parameters of the function whose signature stands on one line; none where it goes on below."""
    signature = line.partition("#")[0].strip()
    try:
        (function,) = ast.parse(f"{signature}: ...").body
    except SyntaxError:
        return set()
    assert isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
    arguments = function.args
    return {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)} - {"self"}


ENTRIES = [pytest.param(*each, id=".".join(each[:3])) for each in named()]


@pytest.mark.parametrize(("path", "owner", "member", "line"), ENTRIES)
def test_what_the_page_names_is_there(path: str, owner: str, member: str, line: str) -> None:
    """A class, function, field or method has the name that the page gives, and a function its parameters."""
    named_object: Any = getattr(import_module(f"specspan.{path.replace('/', '.')}"), owner)
    if member:
        classes = inspect.getmro(named_object)
        names = {name for each in classes for name in (*vars(each), *vars(each).get("__annotations__", ()))}
        assert member in names | set(inspect.signature(named_object).parameters)
        named_object = getattr(named_object, member, None)
    if line and callable(named_object):
        assert parameters(line) <= set(inspect.signature(named_object).parameters), line


def test_the_page_has_entries() -> None:
    """The page is read as it is written: were its form another, nothing would be held."""
    assert len(ENTRIES) > 60
