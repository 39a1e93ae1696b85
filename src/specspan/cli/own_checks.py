"""Checks of the user's own, which a policy names and a command has to import first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import click

own_checks = click.option(
    "--import", "modules", metavar="MODULE", multiple=True, help="Import your checks first; repeatable."
)
"""The option of a command that loads a policy; it gives ``modules``."""


@contextmanager
def imported(modules: tuple[str, ...]) -> Iterator[None]:
    """Modules imported, so that their ``@specspan.check`` functions are known.

    They are found as `python -m` finds them, from the current directory on; so are modules that a policy names, for as
    long as this lasts.

    Raises:
        BadParameter: one cannot be imported.
    """
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        for module in modules:
            _import(module)
        yield
    finally:
        sys.path[:] = before


def _import(module: str) -> None:
    try:
        import_module(module)
    except Exception as error:  # whatever the user's module does on import
        reason = f"{type(error).__name__}: {error}"
        raise click.BadParameter(f"{module!r} cannot be imported: {reason}", param_hint="--import") from error
