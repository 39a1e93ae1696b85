"""`specspan ledger consistency`: proof that a ledger continues an older checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from specspan.cli.ledger_view import known_keys, ledger_options, reading
from specspan.cli.terminal import print_json
from specspan.ledger.audit import read_anchors
from specspan.ledger.proofs import prove_consistency


@click.command("consistency")
@ledger_options
@click.argument("checkpoint", type=click.Path(path_type=Path, dir_okay=False))
def command(folder: Path, keys: Sequence[str], checkpoint: Path) -> None:
    """Print the proof that the ledger continues an older CHECKPOINT, a file with one signed note."""
    known, _ = known_keys(folder, keys)
    with reading():
        for old in read_anchors(checkpoint, known):
            print_json(prove_consistency(folder, old, known))
