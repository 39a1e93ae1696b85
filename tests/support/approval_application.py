"""Two sides of approvals, run by tests as processes of their own.

``ask DB RAN`` asks for 200 approvals, waits for all at once, and has each approved one take effect: a row of its id in
the SQLite file RAN. ``settle DB`` approves the first half, denies a quarter, leaves the last one alone, and ends.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time

import specspan
from specspan.approvals.approval_request import ApprovalState
from specspan.approvals.approval_store import ApprovalStore
from specspan.errors import OversightRefused
from specspan.stores.people import Person, Role

COUNT, APPROVED, DENIED = 200, 100, 150


async def ask(db: str, ran: str) -> None:
    """Ask, wait and run, all at once; after a restart, go on."""
    effects = sqlite3.connect(ran, isolation_level=None, timeout=30)
    effects.execute("CREATE TABLE IF NOT EXISTS ran (id TEXT PRIMARY KEY, number INTEGER)")

    async def one(number: int) -> None:
        approval = specspan.approval(db=db, timeout_s=2 if number >= DENIED else 300)
        pending = approval.request("refund", {"order": number}, key=f"job-{number}", resumes=True)
        if (await pending).is_approved:
            effects.execute("INSERT INTO ran VALUES (?, ?) ON CONFLICT DO NOTHING", (pending.id, number))
            pending.finish()

    await asyncio.gather(*map(one, range(COUNT)))


def settle(db: str) -> None:
    """Approve and deny until everything that is to be settled is; after a restart, go on."""
    store, person, done = ApprovalStore(db), Person("apa", Role.APPROVER), 0
    while done < DENIED:
        page = store.list(limit=COUNT)
        done = 0
        for each in page.approvals:
            number = each.detail["arguments"]["order"]
            if each.state is not ApprovalState.WAITING:
                done += number < DENIED
            elif number < DENIED:
                try:
                    (store.approve if number < APPROVED else store.deny)(each.id, person)
                except OversightRefused as refusal:
                    sys.stderr.write(f"{refusal}\n")
                sys.stdout.write(f"{number}\n")
                sys.stdout.flush()
        time.sleep(0.05)


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        asyncio.run(ask(*sys.argv[2:]))
    else:
        settle(sys.argv[2])
