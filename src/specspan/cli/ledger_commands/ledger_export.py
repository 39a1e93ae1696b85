"""`specspan ledger export`: decisions with their places in the chain, or checkpoints to keep elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from specspan.cli.ledger_view import known_keys, ledger_options, print_line, reading
from specspan.ledger.audit import audit, records_of
from specspan.ledger.stream_files import stream_names


@click.command("export")
@ledger_options
@click.option("--checkpoints", is_flag=True, help="The last checkpoint of each stream, to be kept elsewhere.")
def command(folder: Path, keys: Sequence[str], *, checkpoints: bool) -> None:
    """Print every decision and policy, one JSON object a line, with stream, sequence number and hash chain."""
    known, _ = known_keys(folder, keys)
    with reading():
        if checkpoints:
            for found in audit(folder, known).streams:
                if found.chain.checkpoint is not None:
                    print_line({"checkpoint": found.chain.checkpoint.note})
            return
        for name in stream_names(folder):
            for record in records_of(folder, name, known):
                if record.type in ("decision", "policy"):
                    print_line({"stream": name, **json.loads(record.data)})
