"""`specspan incident`: group of the commands about incidents."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group(
    "incident", cls=DiscoveredGroup, package="specspan.cli.incident_commands", plugins="specspan_incident_commands"
)
def command() -> None:
    """Open incidents, find out what changed before them, and keep what was done about them on record."""
