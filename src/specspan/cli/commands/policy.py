"""`specspan policy`: what a policy binds, a first one for any spec, and tests of one."""

from __future__ import annotations

import click

from specspan.cli.main import Registered


@click.group("policy", cls=Registered, package="specspan.cli.policy_commands", plugins="specspan_policy_commands")
def command() -> None:
    """See what a policy binds; start one for a spec; test one."""
