"""`specspan approvals`: list of what waits for an approval, and of what became of it."""

from __future__ import annotations

from contextlib import closing

import click
from rich.text import Text

from specspan.approvals.approval_request import ApprovalState
from specspan.approvals.approval_store import ApprovalStore
from specspan.cli.approval_view import approval_json, print_approvals
from specspan.cli.storage import store_options
from specspan.cli.terminal import console, print_json


@click.command("approvals")
@click.option("--state", type=click.Choice([state.value for state in ApprovalState]), help="In this state.")
@click.option("--after", metavar="KEY", help="Those after the last one of another list, as it printed.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@store_options
def command(state: str | None, after: str | None, limit: int, db: str | None, *, as_json: bool) -> None:
    """List approvals, the newest first."""
    with closing(ApprovalStore(db)) as store:
        page = store.list(None if state is None else ApprovalState(state), after=after, limit=limit)
    if as_json:
        print_json({"approvals": [approval_json(each) for each in page.approvals], "next": page.next_key})
        return
    print_approvals(page.approvals)
    if page.next_key is not None:
        console().print(Text(f"More: --after '{page.next_key}'", "dim"), soft_wrap=True)
