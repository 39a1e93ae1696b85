"""`specspan store check`: report on whether a store can be read, and on what it holds."""

from __future__ import annotations

import click

from specspan.cli.store_upkeep import check


@click.command("check")
@click.argument("url", required=False)
def command(url: str | None) -> None:
    """Tell whether the store at URL (default: SPECSPAN_DB) can be read, and what it holds.

    Of ClickHouse: decisions, rows that came again, missing policies, minutes that are not counted yet, and sizes.
    """
    check(url)
