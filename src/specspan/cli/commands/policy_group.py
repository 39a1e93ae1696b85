"""`specspan policy`: group of the commands about policies."""

from __future__ import annotations

import click

from specspan.cli.main import DiscoveredGroup


@click.group("policy", cls=DiscoveredGroup, package="specspan.cli.policy_commands", plugins="specspan_policy_commands")
def command() -> None:
    """See what a policy binds; start one for a spec; test one."""
