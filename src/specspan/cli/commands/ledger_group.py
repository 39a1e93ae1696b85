"""`specspan ledger`: group of the commands about a ledger of decisions."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group("ledger", cls=DiscoveredGroup, package="specspan.cli.ledger_commands", plugins="specspan_ledger_commands")
def command() -> None:
    """Check a ledger of decisions, show what is in it, and prove it to others."""
