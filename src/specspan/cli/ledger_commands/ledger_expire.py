"""`specspan ledger expire`: removal of what is older than it may be, in a way that can be proved."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from specspan.cli.ledger_view import ledger_option, reading
from specspan.ledger.decision_ledger import open_ledger
from specspan.ledger.ledger_settings import LedgerSettings, parse_age
from specspan.ledger.retention import EXPIRY, backend_names, expire
from specspan.ledger.signing_keys import listed_keys


@click.command("expire")
@ledger_option
@click.option(
    "--keep", default="180d", envvar="SPECSPAN_LEDGER_KEEP", show_default=True, show_envvar=True, help="Age to keep."
)
def command(folder: Path, keep: str) -> None:
    """Remove segments older than ``--keep`` that every backend has, and write into the chain what they were.

    `verify` then tells expired records from missing ones. Where the EU AI Act asks for logs (Art. 19 and 26(6)), keep
    them for six months at least: 184d.
    """
    settings = replace(LedgerSettings(folder), keep_s=parse_age(keep, "--keep"))
    with reading():
        ledger = open_ledger(settings, os.environ)
        try:
            keys = listed_keys(folder)
            removed = expire(settings, keys, backend_names(folder), partial(ledger.append_control, EXPIRY))
        finally:
            ledger.shutdown(5.0)
    click.echo(f"{removed} bytes removed")
