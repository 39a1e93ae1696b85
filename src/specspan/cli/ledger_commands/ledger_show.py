"""`specspan ledger show`: streams and accounts of a ledger, or one record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from specspan.cli.ledger_view import (
    accounts,
    audit_to_json,
    condition,
    counts,
    find_record,
    json_option,
    known_keys,
    ledger_options,
    reading,
)
from specspan.cli.terminal import print_json, printable
from specspan.ledger.audit import audit


@click.command("show")
@ledger_options
@json_option
@click.argument("record", required=False, metavar="[RECORD]")
def command(folder: Path, keys: Sequence[str], record: str | None, *, as_json: bool) -> None:
    """Show the streams and what was lost, or one record: by the start of a decision's id, or STREAM:SEQ."""
    known, _ = known_keys(folder, keys)
    if record is not None:
        name, found = find_record(folder, record, known)
        print_json({"stream": name, **json.loads(found.data)})
        return
    with reading():
        audited = audit(folder, known)
    if as_json:
        print_json(audit_to_json(audited))
        return
    for each in audited.streams:
        click.echo(printable(f"{each.name}  {counts(each)}  {condition(each)}"))
    click.echo(accounts(audited))
