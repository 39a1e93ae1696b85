"""`specspan ledger keys`: the public keys that signed a ledger, and new keys."""

from __future__ import annotations

import os
from pathlib import Path

import click

from specspan.errors import ConfigurationError, Problem
from specspan.ledger.signed_note import Signer
from specspan.ledger.signing_keys import KEY_NAME, configured_signer, listed_keys, write_signer


@click.group("keys", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the public keys that signed a ledger; `new` makes one."""
    if context.invoked_subcommand is None:
        folder = os.environ.get("SPECSPAN_LEDGER")
        context.invoke(list_keys, folder=Path(folder) if folder else None)


@command.command("list")
@click.option("--ledger", "folder", type=click.Path(path_type=Path, file_okay=False), envvar="SPECSPAN_LEDGER")
def list_keys(folder: Path | None) -> None:
    """List the public key that is configured, and those that are listed beside the ledger."""
    signer = configured_signer(os.environ)
    listed = listed_keys(folder) if folder is not None else ()
    for key in dict.fromkeys((*listed, *([signer.public_key] if signer is not None else []))):
        click.echo(str(key))


@command.command("new")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", default=KEY_NAME, show_default=True, help="Name of the key, in checkpoints.")
def new_key(file: Path, name: str) -> None:
    """Make a key in a new FILE that only you can read, for SPECSPAN_LEDGER_KEY_FILE; print its public half."""
    try:
        signer = Signer.generate(name)
        if file.exists():
            raise ConfigurationError(str(file), Problem("the file is there already", "Name a new file."))
        write_signer(file, signer)
    except (OSError, ValueError) as error:
        raise ConfigurationError(str(file), Problem(str(error), "Name another file or key.")) from error
    click.echo(str(signer.public_key))
