"""`specspan spec catalogue`: list of the published specs, and the one that a file is."""

from __future__ import annotations

from typing import Any

import click
from rich.table import Table

from specspan.cli.terminal import console, print_json, printable
from specspan.spec.catalogue import Edition, editions, nearest_edition
from specspan.spec.read import load_spec


@click.command("catalogue")
@click.argument("file", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: str | None, as_json: bool) -> None:
    """List the published specs that are known, or say which of them FILE is."""
    if file is not None:
        _print_match(file, as_json)
    elif as_json:
        print_json([_to_json(edition) for edition in editions().values()])
    else:
        table = Table("name", "clauses", "chain of command", "digest", box=None, pad_edge=False, header_style="dim")
        for edition in editions().values():
            table.add_row(edition.pin, str(len(edition.clauses)), " › ".join(edition.ladder), edition.digest[:19])
        console().print(table)


def _print_match(file: str, as_json: bool) -> None:
    spec = load_spec(file)
    known = editions().get(spec.digest)
    near = None if known is not None else nearest_edition(spec)
    if as_json:
        nearest_json = None if near is None else {"name": near[0].pin, "share": round(near[1], 4)}
        print_json(
            {"digest": spec.digest, "known": None if known is None else _to_json(known), "nearest": nearest_json}
        )
    elif known is not None:
        click.echo(f"{printable(file)} is {known.pin}")
    else:
        like = f"; it shares {near[1]:.0%} of its clauses with {near[0].pin}" if near is not None else ""
        click.echo(f"{printable(file)} is not in the catalogue{like}")


def _to_json(edition: Edition) -> dict[str, Any]:
    return {
        "name": edition.name,
        "version": edition.version,
        "date": edition.date,
        "digest": edition.digest,
        "clauses": len(edition.clauses),
        "ladder": list(edition.ladder),
    }
