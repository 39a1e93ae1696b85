"""`specspan policy schema`: JSON Schema of a policy file."""

from __future__ import annotations

import click

from specspan.checks.registry import kinds
from specspan.policy.published_schema import schema_text


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of a policy, with the kinds of check that are installed, so that editors complete it."""
    click.echo(schema_text(kinds()), nl=False)
