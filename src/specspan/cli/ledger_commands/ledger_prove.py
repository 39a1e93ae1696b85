"""`specspan ledger prove`: proof that a record is under a signed checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from specspan.cli.ledger_view import find_record, known_keys, ledger_options, reading
from specspan.cli.terminal import print_json
from specspan.ledger.proofs import prove_inclusion


@click.command("prove")
@ledger_options
@click.argument("record", metavar="RECORD")
def command(folder: Path, keys: Sequence[str], record: str) -> None:
    """Print the proof that a record is under a signed checkpoint, for `docs/verify_proof.py` or any other verifier."""
    known, _ = known_keys(folder, keys)
    name, found = find_record(folder, record, known)
    with reading():
        print_json(prove_inclusion(folder, name, found.seq, known))
