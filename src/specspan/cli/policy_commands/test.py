"""`specspan policy test`: a table of conversations, and whether each is decided as expected."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.output import console, print_json
from specspan.cli.own_checks import imported, own_checks
from specspan.cli.policy_test_view import print_results, results_json
from specspan.policy_tests.load import load_tests
from specspan.policy_tests.run import run_tests


@click.command("test")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-k", "named", metavar="NAME", help="Only tests with this in their name, in either case.")
@own_checks
def command(file: Path, as_json: bool, named: str | None, modules: tuple[str, ...]) -> None:
    """Hold the conversations in FILE under the policy it names, and compare what is decided with what is expected.

    Exit code 1 when a test fails, 2 when FILE or its policy is refused. It shows what was said: the texts are your own.
    """
    with imported(modules):
        table = load_tests(file)
        cases = [case for case in table.cases if named is None or named.casefold() in case.name.casefold()]
        if not cases:
            raise click.BadParameter(f"no test's name has {named!r} in it.", param_hint="-k")
        results = run_tests(table.policy, cases)
    if as_json:
        print_json(results_json(table, results))
    else:
        print_results(console(), table, results)
    if not all(result.passed for result in results):
        raise click.exceptions.Exit(1)
