"""`specspan checks list`: the kinds of checks that a policy can name."""

from __future__ import annotations

import click

from specspan.checks.registry import kinds
from specspan.cli.terminal import console, plain_table, print_json


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """List the kinds of checks that are installed, plug-ins among them."""
    described = {key: str(kind.SCHEMA.get("description", "")) for key, kind in sorted(kinds().items())}
    if as_json:
        print_json([{"kind": key, "description": description} for key, description in described.items()])
        return
    table = plain_table("kind", "decides", folding=("decides",))
    for key, description in described.items():
        table.add_row(key, description)
    console().print(table)
