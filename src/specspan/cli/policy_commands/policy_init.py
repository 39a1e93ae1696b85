"""`specspan policy init`: first policy for a spec."""

from __future__ import annotations

import os
from pathlib import Path

import click

from specspan.checks.registry import kinds
from specspan.cli.terminal import write_new_file
from specspan.policy.published_schema import SCHEMA_FILE, schema_text
from specspan.policy.template import starting_policy
from specspan.spec.read import load_spec


@click.command("init")
@click.argument("spec", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file that is not there yet.")
def command(spec: Path, output: Path | None) -> None:
    """Print a first policy for a spec.

    It names every clause that binds somebody, observes, and changes nothing until you edit it. With --output, the JSON
    Schema that editors complete it by is written beside it, where there is none yet.
    """
    folder = output.parent if output is not None else Path()
    text = starting_policy(load_spec(spec), _relative_path(folder, spec), kinds())
    if output is None:
        click.echo(text, nl=False)
        return
    write_new_file(output, text)
    schema = folder / SCHEMA_FILE
    if not schema.exists():
        write_new_file(schema, schema_text(kinds()))
    click.echo(f"Wrote {output}. Bind checks to clauses in it, then: specspan policy check {output}", err=True)


def _relative_path(folder: Path, spec: Path) -> str:
    """Return the path that leads from a policy in ``folder`` to the spec."""
    try:
        return Path(os.path.relpath(spec, folder)).as_posix()
    except ValueError:  # another drive
        return spec.absolute().as_posix()
