"""`specspan spec convert`: spec in another format."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from specspan.cli.terminal import printable, write_new_file
from specspan.spec.read import load_spec
from specspan.spec.write import write_spec


@click.command("convert")
@click.argument("file")
@click.option("--to", "format_", required=True, metavar="FORMAT", help="markdown, yaml, json or jsonl.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to a file that is not there yet.")
def command(file: str, format_: str, output: Path | None) -> None:
    """Write the spec in FILE in another format.

    Everything is kept but line numbers; the digest is that of the new file. What a format cannot hold is refused.
    """
    text = write_spec(load_spec(file), format_)
    if output is None:
        click.echo(printable(text) if sys.stdout.isatty() else text, nl=False)
        return
    write_new_file(output, text)
    click.echo(f"Wrote {output}.", err=True)
