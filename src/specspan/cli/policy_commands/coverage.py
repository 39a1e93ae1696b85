"""`specspan policy coverage`: which clauses are checked, by what and when, and which never are."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.coverage_view import coverage_json, print_coverage
from specspan.cli.output import console, print_json
from specspan.cli.own_checks import imported, own_checks
from specspan.cli.policy_environment import in_environment
from specspan.policy.coverage import coverage
from specspan.policy.load import load_policy


@click.command("coverage")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@in_environment
@own_checks
def command(file: Path, as_json: bool, environment: str | None, modules: tuple[str, ...]) -> None:
    """Show which clauses of its spec the policy in FILE has checked, by what kind of check and at which stage.

    A clause that nothing checks is unassessed on every call; it is never counted as complied.
    """
    with imported(modules):
        covered = coverage(load_policy(file, environment=environment))
    if as_json:
        print_json(coverage_json(covered))
    else:
        print_coverage(console(), covered)
