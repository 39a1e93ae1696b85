"""`specspan policy`: what a policy binds, and a first one for any spec."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import click

from specspan.checks.registry import kinds
from specspan.cli.output import console, print_json, printable
from specspan.cli.policy_report import policy_json, print_policy, problems_json
from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.policy.template import starting_policy
from specspan.spec.load import load_spec


@click.group()
def command() -> None:
    """See what a policy binds; start one for a spec."""


command.name = "policy"


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="Print JSON, also of what is refused.")
@click.option("--import", "modules", metavar="MODULE", multiple=True, help="Import your checks first; repeatable.")
def check(file: Path, json_: bool, modules: tuple[str, ...]) -> None:
    """Show what a policy binds, or why it is refused.

    A refused policy is told every problem, with line and remedy; the exit code is 2. Modules are found as `python -m`
    finds them: from the current directory on.
    """
    try:
        with _current_directory_first():
            _import(modules)
            policy = load_policy(file)
    except PolicyError as error:
        _refuse(error, json_)
        raise click.exceptions.Exit(2) from error
    if json_:
        print_json(policy_json(policy))
    else:
        print_policy(console(), policy)


@command.command()
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file that is not there yet.")
def init(spec: Path, output: Path | None) -> None:
    """Print a first policy for a spec.

    It names every clause that binds somebody, observes, and changes nothing until you edit it.
    """
    folder = output.parent if output is not None else Path()
    text = starting_policy(load_spec(spec), _seen_from(folder, spec), kinds())
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{output} exists already. Name another file, or remove it first.") from None
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {output}. Bind checks to clauses in it, then: specspan policy check {output}", err=True)


@contextmanager
def _current_directory_first() -> Iterator[None]:
    """Imports look into the current directory first, for as long as this lasts."""
    before = list(sys.path)
    sys.path.insert(0, str(Path.cwd()))
    try:
        yield
    finally:
        sys.path[:] = before


def _import(modules: tuple[str, ...]) -> None:
    """Import the user's modules, so that their ``@specspan.check`` functions are known."""
    for module in modules:
        try:
            import_module(module)
        except Exception as error:  # whatever the user's module does on import
            reason = f"{type(error).__name__}: {error}"
            raise click.BadParameter(f"{module!r} cannot be imported: {reason}", param_hint="--import") from error


def _refuse(error: PolicyError, json_: bool) -> None:
    """Say why: a line a problem on standard error, or JSON on standard output."""
    if json_:
        print_json(problems_json(error))
        return
    count = len(error.problems)
    click.echo(printable(str(error)), err=True)
    click.echo(f"\n{error.source} is refused: {count} problem{'s' if count > 1 else ''}.", err=True)


def _seen_from(folder: Path, spec: Path) -> str:
    """The path that leads from a policy in ``folder`` to the spec."""
    try:
        return Path(os.path.relpath(spec, folder)).as_posix()
    except ValueError:  # another drive
        return spec.absolute().as_posix()
