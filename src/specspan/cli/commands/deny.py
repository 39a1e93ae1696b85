"""`specspan deny`: no to what waits for an approval."""

from __future__ import annotations

import click

from specspan.cli.approval_view import find_approval, print_approval
from specspan.cli.person_option import person_option
from specspan.cli.storage import store_options


@click.command("deny")
@click.argument("approval_id", metavar="APPROVAL")
@click.option("--reason", default="", metavar="TEXT", help="Why. It is recorded.")
@store_options
@person_option
def command(approval_id: str, reason: str, db: str | None, person: str, *, as_json: bool) -> None:
    """Deny what waits for an approval."""
    with find_approval(db, approval_id, person) as (store, whole_id, by):
        print_approval(store.deny(whole_id, by, reason=reason), as_json=as_json)
