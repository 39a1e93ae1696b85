"""Terminal view of approvals, and the choice of one by the start of its id."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any

from rich.text import Text

from specspan.approvals.approval_request import ApprovalRequest
from specspan.approvals.approval_store import ApprovalStore
from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.person_option import as_person
from specspan.cli.storage import require_one
from specspan.cli.terminal import clean, console, format_short, json_text, print_json
from specspan.stores.people import Person, Role


@contextmanager
def find_approval(db: str | None, prefix: str, name: str) -> Iterator[tuple[ApprovalStore, str, Person]]:
    """Yield the store, the whole id of an approval, and the person who acts."""
    with closing(ApprovalStore(db)) as store:
        whole_id = require_one("approval", prefix, store.ids(prefix), "specspan approvals")
        yield store, whole_id, as_person(name, Role.APPROVER)


def approval_json(each: ApprovalRequest) -> dict[str, Any]:
    """Return an approval as JSON."""
    return {**asdict(each), "state": each.state.value}


def print_approval(each: ApprovalRequest, *, as_json: bool) -> None:
    """Print one approval, as JSON or as a list of one."""
    if as_json:
        print_json(approval_json(each))
    else:
        print_approvals([each])


def print_approvals(approvals: Sequence[ApprovalRequest]) -> None:
    """Print approvals as a list, each with what is asked where that is recorded."""
    if not approvals:
        console().print("No approvals.")
        return
    table = ListTable(
        Column("asked", gives_way=2),
        Column("approval", style="cyan"),
        Column("what", style="bold"),
        Column("clause", gives_way=1),
        Column("state"),
        Column("by", gives_way=0),
        Column("arguments", gives_way=3, is_text=True),
    )
    now = time.time_ns()
    for each in approvals:
        arguments = each.detail.get("arguments")
        table.add_row(
            format_short(each.requested_unix_nano, now),
            clean(each.id),
            clean(f"{each.kind} {each.name}"),
            clean(each.clause),
            each.state.value,
            clean(each.settled_by),
            Text(clean("" if arguments is None else json_text(arguments, None)), "dim"),
        )
    print_lines(console(), table)
