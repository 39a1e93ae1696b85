"""`specspan dataset`: group of the commands about datasets."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group(
    "dataset", cls=DiscoveredGroup, package="specspan.cli.dataset_commands", plugins="specspan_dataset_commands"
)
def command() -> None:
    """Keep recorded calls as cases, with the outcomes that are expected of them."""
