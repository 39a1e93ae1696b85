"""Names and docstrings of commands, read from the source of their modules: a list of commands imports none of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click

_DECORATORS = ("command", "group")
_FUNCTION = "command"


def read_command(file: Path) -> click.Command | None:
    """Return a command that says what the module's ``command`` is for, and does nothing else.

    None where the source does not tell: a command that is made in another way has to be imported.
    """
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == _FUNCTION:
            names = list(_names(node))
            return click.Command(names[0], help=ast.get_docstring(node)) if len(names) == 1 else None
    return None


def _names(function: ast.FunctionDef) -> Iterator[str]:
    """Yield the name in ``@click.command("name")``; nothing where more is said that changes a list of commands."""
    for each in function.decorator_list:
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in _DECORATORS:
            keywords = {keyword.arg for keyword in each.keywords}
            if keywords.isdisjoint(("help", "short_help", "hidden", "deprecated", "name")) and each.args:
                name = each.args[0]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value


def source_of(module: str) -> Path | None:
    """Return the file of a module without importing it, or a package that it is in; None where that cannot be."""
    package, _, below = module.partition(".")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    file = Path(spec.origin)
    return file.parent.joinpath(*below.split(".")).with_suffix(".py") if below else file
