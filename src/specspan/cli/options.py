"""A clause that somebody names on the command line."""

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


def named_clause(spec: Spec, name: str) -> Clause:
    """The clause with an id, which may have the ``#`` of a reference before it.

    Raises:
        SpecError: there is none.
    """
    id_ = name.removeprefix("#")
    if id_ in spec.clauses:
        return spec.clauses[id_]
    remedy = did_you_mean(id_, spec.clauses, "'specspan spec show FILE' lists them all.")
    raise SpecError(spec.source, Problem(f"there is no clause {name!r}", remedy))


# MERGED own_checks: Checks of the user's own, which a policy names and a command has to import first.


own_checks = click.option(
    "--import", "modules", metavar="MODULE", multiple=True, help="Import your checks (module or .py) first; repeatable."
)
"""The option of a command that loads a policy; it gives ``modules``."""


@contextmanager
def imported(modules: tuple[str, ...]) -> Iterator[None]:
    """Modules imported, so that their ``@specspan.check`` functions are known.

    They are found as `python -m` finds them, from the current directory on, or are files named by their path; so are
    modules that a policy names, for as long as this lasts.

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
        _import_file(Path(module)) if module.endswith(".py") else import_module(module)
    except Exception as error:  # whatever the user's module does on import
        reason = f"{type(error).__name__}: {error}"
        raise click.BadParameter(f"{module!r} cannot be imported: {reason}", param_hint="--import") from error


def _import_file(path: Path) -> None:
    """Import a file as the module of its name, as if its folder were looked through."""
    found = spec_from_file_location(path.stem, path)
    if found is None or found.loader is None:
        raise ImportError(f"no Python module is made of {path}")
    module = module_from_spec(found)
    sys.modules[path.stem] = module
    found.loader.exec_module(module)


# MERGED policy_environment: The environment that a command looks at a policy in.


in_environment = click.option(
    "--environment",
    metavar="NAME",
    envvar="SPECSPAN_ENV",
    show_envvar=True,
    help="What holds in this one of the policy's environments.",
)
"""The option of a command that loads a policy; it gives ``environment``."""
