"""`specspan spec show`: what the clauses are."""

from __future__ import annotations

import click

from specspan.cli import spec_view
from specspan.cli.clauses import named_clause
from specspan.cli.output import console, print_json
from specspan.spec.json import clause_to_json, to_json
from specspan.spec.load import load_spec


@click.command("show")
@click.argument("file")
@click.argument("clause", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the form of docs/specs.md.")
def command(file: str, clause: str | None, as_json: bool) -> None:
    """Show the spec in FILE, or one CLAUSE of it by its id."""
    spec = load_spec(file)
    found = None if clause is None else named_clause(spec, clause)
    if as_json:
        print_json(to_json(spec) if found is None else clause_to_json(found))
    else:
        out = console()
        out.push_theme(spec_view.THEME)
        out.print(spec_view.overview(spec, out.width) if found is None else spec_view.clause(spec, found))
