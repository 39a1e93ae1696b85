"""`specspan`: one group, its commands found by registration, every error of ours a line and exit code 2."""

from __future__ import annotations

import io
import sys

import click

from specspan.cli.output import printable
from specspan.cli.registration import Registered
from specspan.errors import SpecspanError


@click.group(
    cls=Registered,
    package="specspan.cli.commands",
    plugins="specspan_commands",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="specspan")
def cli() -> None:
    """Which clauses of a behaviour specification applied to a model call, and what was decided."""


def main() -> None:
    """Run the command line. Exit code 2 for what the user must change, 1 for a finding (see each command)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 shows what it can
    try:
        sys.exit(cli(standalone_mode=False))  # None, or the exit code that a command raised as click's `Exit`
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except SpecspanError as error:
        click.echo(f"specspan: {printable(str(error))}", err=True)
        sys.exit(2)
