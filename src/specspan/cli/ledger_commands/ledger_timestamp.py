"""`specspan ledger timestamp`: checkpoints stamped by an authority (RFC 3161), and the check of such stamps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from specspan.cli.ledger_view import known_keys, ledger_options, reading
from specspan.cli.terminal import printable
from specspan.errors import ConfigurationError
from specspan.ledger.audit import audit
from specspan.ledger.timestamps import Timestamp, check_timestamps, stamp_checkpoint


@click.command("timestamp")
@ledger_options
@click.argument("output", type=click.Path(path_type=Path, file_okay=False))
@click.option("--authority", metavar="URL", help="Address of the authority that stamps (RFC 3161).")
@click.option("--check", type=click.Path(path_type=Path, dir_okay=False, exists=True), metavar="ROOTS.pem")
def command(folder: Path, keys: Sequence[str], output: Path, authority: str | None, check: Path | None) -> None:
    """Have the last checkpoint of each stream stamped by --authority, and keep note and stamp in the folder OUTPUT.

    With --check, check the stamps in OUTPUT by the certificates of their authorities; exit code 1 where one does not
    hold. `verify --against OUTPUT/….note` compares the ledger with such a checkpoint. Needs the extra `timestamps`.
    """
    if (authority is None) == (check is None):
        raise click.UsageError("Give either --authority or --check.")
    with reading():
        if authority is not None:
            for stream in audit(folder, known_keys(folder, keys)[0]).streams:
                if (checkpoint := stream.chain.checkpoint) is not None:
                    _tell(stamp_checkpoint(checkpoint, authority, output))
            return
        results = [] if check is None else list(check_timestamps(output, check.read_bytes()))
    for result in results:
        if isinstance(result, ConfigurationError):
            click.echo(printable(str(result)), err=True)
        else:
            _tell(result)
    raise click.exceptions.Exit(int(any(isinstance(each, ConfigurationError) for each in results)))


def _tell(stamp: Timestamp) -> None:
    click.echo(printable(f"{stamp.time.isoformat()}  {stamp.note}"))
