"""`specspan spec`: group of the commands about specs."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group("spec", cls=DiscoveredGroup, package="specspan.cli.spec_commands", plugins="specspan_spec_commands")
def command() -> None:
    """Read a behaviour specification."""
