"""`specspan store init`: creation of the tables of a store."""

from __future__ import annotations

import click

from specspan.cli.store_upkeep import make_or_upgrade


@click.command("init")
@click.argument("url", required=False)
@click.option("--keep-days", type=int, metavar="DAYS", help="Have the server remove decisions after so many days.")
def command(url: str | None, keep_days: int | None) -> None:
    """Make the tables of the store at URL (default: SPECSPAN_DB), and read what is there already into them.

    Asked again, it changes nothing. SQLite and PostgreSQL need it not: they make their tables with the first record.
    """
    make_or_upgrade(url, keep_days)
