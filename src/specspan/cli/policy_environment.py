"""The environment that a command looks at a policy in."""

from __future__ import annotations

import click

in_environment = click.option(
    "--environment",
    metavar="NAME",
    envvar="SPECSPAN_ENV",
    show_envvar=True,
    help="What holds in this one of the policy's environments.",
)
"""The option of a command that loads a policy; it gives ``environment``."""
