"""`specspan checks`: group of the commands about kinds of checks."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group("checks", cls=DiscoveredGroup, package="specspan.cli.checks_commands", plugins="specspan_checks_commands")
def command() -> None:
    """See which kinds of checks there are; try one on a text."""
