"""`specspan spec schema`: JSON Schema of a spec in YAML or JSON."""

from __future__ import annotations

import click

from specspan.spec.spec_json import schema_text


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of a spec in YAML or JSON, so that editors complete it."""
    click.echo(schema_text(), nl=False)
