"""`specspan run`: unchanged program with its model calls recorded and decided."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from specspan.cli.options import import_modules
from specspan.decision import Mode
from specspan.errors import ConfigurationError, Problem

_NOT_EXECUTABLE, _NOT_FOUND = 126, 127  # exit codes that shells use


@click.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--policy", type=click.Path(path_type=Path), help="The policy.  [default: SPECSPAN_POLICY]")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="In place of what the policy says.")
@click.option("--db", metavar="FILE|URL", help="The SQLite file, or a database's URL.  [default: SPECSPAN_DB]")
@click.argument("program", nargs=-1, required=True, type=click.UNPROCESSED)
def command(policy: Path | None, mode: str | None, db: str | None, program: tuple[str, ...]) -> None:
    """Run a Python program, such as `specspan run -- python app.py`, and watch the model calls it makes.

    The program is not changed, and neither are its exit code and the signals it gets. Python processes that it starts
    are watched, too. A policy or file that cannot be used is refused before the program starts (exit code 2).
    """
    from specspan.runtime.zero_code import environment

    options = {"SPECSPAN_POLICY": policy, "SPECSPAN_MODE": mode, "SPECSPAN_DB": db}
    environ = environment(os.environ, {name: str(value) for name, value in options.items() if value is not None})
    _require_usable_settings(environ)
    try:
        _exec(program, environ)
    except FileNotFoundError:
        _fail(program[0], "program not found", "Name one that is on PATH, or by its path.", _NOT_FOUND)
    except OSError as error:
        _fail(program[0], f"it cannot be run: {error.strerror}", "Name a program, such as python.", _NOT_EXECUTABLE)


def _require_usable_settings(environ: Mapping[str, str]) -> None:
    from specspan.runtime import environment
    from specspan.runtime.configure import resolve_policy
    from specspan.stores.opening import find_kind, store_address

    settings = environment.read_environment(environ)
    with import_modules(()):
        resolve_policy(settings.policy, settings.mode, settings.policy_environment)
    address = store_address(environ.get("SPECSPAN_DB", "").strip() or None)
    if not settings.disabled and settings.decisions and (kind := find_kind(address)).NAME in settings.decisions:
        kind.check_address(address)


def _exec(program: tuple[str, ...], environ: Mapping[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execvpe(program[0], program, environ)  # noqa: S606 - this process becomes the program: its signals, its exit
    sys.exit(subprocess.run(program, env=environ, check=False).returncode)  # noqa: S603 - what the user asked for


def _fail(name: str, problem: str, remedy: str, exit_code: int) -> NoReturn:
    click.echo(f"specspan: {ConfigurationError(name, Problem(problem, remedy))}", err=True)
    raise click.exceptions.Exit(exit_code)
