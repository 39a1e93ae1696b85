"""`specspan spec`: what the clauses are."""

from __future__ import annotations

import click

from specspan.cli.main import Registered


@click.group("spec", cls=Registered, package="specspan.cli.spec_commands", plugins="specspan_spec_commands")
def command() -> None:
    """Read a behaviour specification."""
