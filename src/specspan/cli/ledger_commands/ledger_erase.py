"""`specspan ledger erase`: content about a person is made unreadable for good, and the chain says so."""

from __future__ import annotations

import os
from pathlib import Path

import click

from specspan.cli.ledger_view import ledger_option, reading
from specspan.errors import ConfigurationError, Problem
from specspan.ledger.content_store import ERASURE, ContentStore
from specspan.ledger.decision_ledger import open_ledger
from specspan.ledger.ledger_settings import LedgerSettings


@click.command("erase")
@ledger_option
@click.argument("subject")
def command(folder: Path, subject: str) -> None:
    """Destroy the key of SUBJECT, a user's id or a conversation's: what was kept about them is unreadable from now on.

    The chain gets a record that says so, without the name; `verify` finds it intact as before.
    """
    with reading():
        ledger = open_ledger(LedgerSettings(folder), os.environ)
        try:
            name = ContentStore(folder).erase(subject)
            is_recorded = ledger.append_control(ERASURE, {"subject": name})
        except KeyError:
            problem = Problem("nothing is kept about this subject", "Give the id of a user or a conversation.")
            raise ConfigurationError(subject, problem) from None
        finally:
            ledger.shutdown(5.0)
    click.echo(f"erased {name}")
    raise click.exceptions.Exit(0 if is_recorded else 1)
