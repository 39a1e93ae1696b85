"""Templates of the pages that commands write: every expression is escaped, and nothing is fetched or run."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from specspan.cli.terminal import printable
from specspan.errors import MissingDependency, Problem

if TYPE_CHECKING:
    from jinja2 import Template


def load_template(name: str, command: str) -> Template:
    """Return the template of a page.

    Args:
        name: its file in this package.
        command: the command that needs it, for the message where it cannot be had.

    Raises:
        MissingDependency: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    except ModuleNotFoundError:
        problem = Problem("needs 'jinja2' for a page", "Run: pip install 'specspan[cli]'")
        raise MissingDependency(command, problem) from None
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def _read(name: str) -> str:
    return (files("specspan.cli") / name).read_text(encoding="utf-8")


def _finalize(value: Any) -> Any:
    """Return a value without control characters; the output of a macro is HTML, and stays as it is."""
    return value if hasattr(value, "__html__") else printable(str(value))
