"""`specspan spec examples`: how far a policy's checks agree with the spec's own examples."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.agreement.fitting import load_onto
from specspan.agreement.hearing import hear
from specspan.cli.agreement_view import agreement_json, print_agreement, print_failures
from specspan.cli.clauses import named_clause
from specspan.cli.output import console, print_json
from specspan.cli.own_checks import imported, own_checks
from specspan.spec.find import find_spec
from specspan.spec.load import load_spec


@click.command("examples")
@click.argument("file")
@click.option("--policy", type=click.Path(path_type=Path), required=True, help="Whose checks to run.")
@click.option("--clause", metavar="ID", help="Only answers that are about this clause.")
@click.option("--failures", is_flag=True, help="Show every answer that was missed or a false alarm.")
@own_checks
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the form of docs/examples.md.")
def command(
    file: str, policy: Path, clause: str | None, failures: bool, modules: tuple[str, ...], as_json: bool
) -> None:
    """Run the answers that the spec in FILE calls GOOD, OK or BAD through a policy's checks.

    FILE is a path, or an edition of the catalogue such as openai-model-spec@2025-12-18 that is on this machine. The
    policy may be written for another version of it: what has the same id is checked.
    """
    spec = load_spec(find_spec(file, Path()))
    only = None if clause is None else named_clause(spec, clause).id
    with imported(modules):
        bound, unbound = load_onto(policy, spec)
        agreement = hear(spec, bound, clause=only, unbound=unbound)
    if as_json:
        print_json(agreement_json(agreement, failures_only=failures))
        return
    out = console()
    print_agreement(out, agreement)
    if failures:
        print_failures(out, agreement)
