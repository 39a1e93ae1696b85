"""`specspan policy check`: what a policy binds, or why it is refused."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.output import console, print_json, printable
from specspan.cli.own_checks import imported, own_checks
from specspan.cli.policy_environment import in_environment
from specspan.cli.policy_report import policy_json, print_policy, problems_json
from specspan.errors import PolicyError
from specspan.policy.load import load_policy


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="Print JSON, also of what is refused.")
@in_environment
@own_checks
def command(file: Path, json_: bool, environment: str | None, modules: tuple[str, ...]) -> None:
    """Show what a policy binds, or why it is refused.

    A refused policy is told every problem, with line and remedy; the exit code is 2. Modules are found as `python -m`
    finds them: from the current directory on.
    """
    try:
        with imported(modules):
            policy = load_policy(file, environment=environment)
    except PolicyError as error:
        _refuse(error, json_)
        raise click.exceptions.Exit(2) from error
    if json_:
        print_json(policy_json(policy))
    else:
        print_policy(console(), policy)


def _refuse(error: PolicyError, json_: bool) -> None:
    """Say why: a line a problem on standard error, or JSON on standard output."""
    if json_:
        print_json(problems_json(error))
        return
    count = len(error.problems)
    click.echo(printable(str(error)), err=True)
    click.echo(f"\n{error.source} is refused: {count} problem{'s' if count > 1 else ''}.", err=True)
