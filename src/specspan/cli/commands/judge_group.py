"""`specspan judge`: group of the commands about judges."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group("judge", cls=DiscoveredGroup, package="specspan.cli.judge_commands", plugins="specspan_judge_commands")
def command() -> None:
    """Measure how far judges can be trusted; have recorded calls judged."""
