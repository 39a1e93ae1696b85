"""`specspan ledger content`: content of a call that was kept beside the chain."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from specspan.cli.ledger_view import find_record, known_keys, ledger_options, reading
from specspan.cli.terminal import print_json
from specspan.errors import ConfigurationError, Problem, StoreError
from specspan.ledger.content_store import ContentStore


@click.command("content")
@ledger_options
@click.argument("record", metavar="RECORD")
def command(folder: Path, keys: Sequence[str], record: str) -> None:
    """Print the prompt and the answer of a decision, where they were kept and not erased since."""
    known, _ = known_keys(folder, keys)
    _, found = find_record(folder, record, known)
    try:
        with reading():
            content = ContentStore(folder).read(str(found.body["id"]))
    except ValueError as error:
        raise StoreError(f"{record}: {error}") from error
    if content is None:
        problem = Problem("no content of it is kept", "It was not kept, or it was erased or expired.")
        raise ConfigurationError(record, problem)
    print_json(content)
