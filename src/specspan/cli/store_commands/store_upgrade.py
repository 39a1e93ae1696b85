"""`specspan store upgrade`: migration of tables of an older version."""

from __future__ import annotations

import click

from specspan.cli.store_upkeep import make_or_upgrade


@click.command("upgrade")
@click.argument("url", required=False)
def command(url: str | None) -> None:
    """Bring the tables of the store at URL (default: SPECSPAN_DB) to this version."""
    make_or_upgrade(url, None)
