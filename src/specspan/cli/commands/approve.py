"""`specspan approve`: yes to what waits for an approval."""

from __future__ import annotations

import click

from specspan.cli.approval_view import find_approval, print_approval
from specspan.cli.person_option import person_option
from specspan.cli.storage import store_options


@click.command("approve")
@click.argument("approval_id", metavar="APPROVAL")
@click.option("--reason", default="", metavar="TEXT", help="Why. It is recorded.")
@click.option("--digest", metavar="DIGEST", help="Refuse it where what waits has another digest than this.")
@store_options
@person_option
def command(approval_id: str, reason: str, digest: str | None, db: str | None, person: str, *, as_json: bool) -> None:
    """Approve what waits, once and for exactly what was asked."""
    with find_approval(db, approval_id, person) as (store, whole_id, by):
        print_approval(store.approve(whole_id, by, reason=reason, digest=digest), as_json=as_json)
