"""Options and arguments that several commands share: a clause by its id, modules to import, the environment."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import click

from specspan._support.messages import did_you_mean
from specspan.errors import Problem, SpecError
from specspan.spec.spec import Clause, Spec

import_option = click.option(
    "--import",
    "modules",
    metavar="MODULE",
    multiple=True,
    help="Import your checks (module or .py) first, which executes it; repeatable.",
)
"""Option ``modules`` of a command that loads a policy."""

environment_option = click.option(
    "--environment",
    metavar="NAME",
    envvar="SPECSPAN_ENV",
    show_envvar=True,
    help="What holds in this one of the policy's environments.",
)
"""Option ``environment`` of a command that loads a policy."""


def find_clause(spec: Spec, name: str) -> Clause:
    """Return the clause with an id, which may have the ``#`` of a reference before it.

    Raises:
        SpecError: the spec has no such clause.
    """
    id_ = name.removeprefix("#")
    if id_ in spec.clauses:
        return spec.clauses[id_]
    remedy = did_you_mean(id_, spec.clauses, "'specspan spec show FILE' lists them all.")
    raise SpecError(spec.source, Problem(f"unknown clause {name!r}", remedy))


@contextmanager
def import_modules(modules: tuple[str, ...]) -> Iterator[None]:
    """Import the modules that a user named, so that their ``@specspan.check`` functions are registered.

    Modules are searched as `python -m` does, from the current directory on, or are files named by their path. Inside
    the ``with`` block the modules that a policy names are searched in that way, too.

    Raises:
        BadParameter: a module cannot be imported.
    """
    path = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        for module in modules:
            _import(module)
        yield
    finally:
        sys.path[:] = path


def _import(module: str) -> None:
    try:
        _import_file(Path(module)) if module.endswith(".py") else import_module(module)
    except Exception as error:  # whatever the user's module does on import
        reason = f"{type(error).__name__}: {error}"
        raise click.BadParameter(f"{module!r} cannot be imported: {reason}", param_hint="--import") from error


def _import_file(path: Path) -> None:
    """Import a file as the module of its name, as if its folder were searched."""
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be read as a Python module")
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
