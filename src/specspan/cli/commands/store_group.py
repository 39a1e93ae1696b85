"""`specspan store`: group of the commands that make, check and upgrade a store."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group("store", cls=DiscoveredGroup, package="specspan.cli.store_commands", plugins="specspan_store_commands")
def command() -> None:
    """Make, check and upgrade the tables of a store."""
