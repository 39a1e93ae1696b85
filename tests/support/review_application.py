"""Services and reviewers of one queue, run by tests as processes of their own.

``serve DB NUMBER`` records decisions that ask for two rulings. ``review DB NAME`` rules on all that it may, and writes
the id of each ruling that was accepted.
"""

from __future__ import annotations

import sys
from uuid import uuid4

from reviewed import decision, finding, record

from specspan.errors import OversightRefused, StoreError
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewFilter, RulingKind
from specspan.stores.people import Person

SERVICES, REVIEWERS, EACH = 4, 8, 12
NEED = {"clause": "be_kind", "outcome": "violated", "causes": ["violated"], "rulings": 2}


def serve(db: str, number: int) -> None:
    """Record decisions, one at a time; after a restart, all of them once more."""
    for each in range(EACH):
        while True:
            try:
                record(db, decision(1000 * number + each, finding("be_kind", "violated"), reviews=[NEED]))
                break
            except StoreError:
                continue


def review(db: str, name: str) -> None:
    """Rule on everything, until nothing is left for this reviewer and all decisions are there."""
    queue, person = ReviewQueue(db), Person(name)
    while True:
        counts = sum(queue.counts().values())
        page = queue.list(ReviewFilter(for_reviewer=name), limit=20, oldest_first=True)
        for task in page.tasks:
            ruling_id = str(uuid4())
            try:
                queue.claim(task.id, person, claim_s=2)
                queue.rule(task.id, person, RulingKind.CONFIRM, reason="rude", ruling_id=ruling_id)
            except OversightRefused:
                continue
            sys.stdout.write(f"{ruling_id}\n")
            sys.stdout.flush()
        waiting = [task for task in queue.list(limit=500).tasks if task.state.value in ("open", "claimed")]
        if counts >= SERVICES * EACH and not waiting:
            return


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        review(sys.argv[2], sys.argv[3])
