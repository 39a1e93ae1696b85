"""`specspan ledger tail`: the last decisions of a ledger, and those that follow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from specspan.cli.ledger_view import known_keys, ledger_options, print_line, reading
from specspan.ledger.audit import records_of
from specspan.ledger.signed_note import PublicKey
from specspan.ledger.stream_files import stream_names

_FOLLOW_S = 0.5


@click.command("tail")
@ledger_options
@click.option("-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="Decisions to begin with.")
@click.option("-f", "--follow", is_flag=True, help="Go on with those that are written from now on.")
def command(folder: Path, keys: Sequence[str], lines: int, *, follow: bool) -> None:
    """Print the last decisions, one JSON object a line."""
    known, _ = known_keys(folder, keys)
    seen: dict[str, int] = {}
    decisions = _new_decisions(folder, known, seen)
    for body in decisions[-lines:] if lines else ():
        print_line(body)
    while follow:
        time.sleep(_FOLLOW_S)
        for body in _new_decisions(folder, known, seen):
            print_line(body)


def _new_decisions(folder: Path, keys: Sequence[PublicKey], seen: dict[str, int]) -> list[dict[str, Any]]:
    """Return decisions by their time, without the first records of each stream that were ``seen``, and count those."""
    found = []
    with reading():
        for name in stream_names(folder):
            records = records_of(folder, name, keys)
            found += [each.body for each in records[seen.get(name, 0) :] if each.type == "decision"]
            seen[name] = len(records)
    return sorted(found, key=lambda body: int(body["time_unix_nano"]))
