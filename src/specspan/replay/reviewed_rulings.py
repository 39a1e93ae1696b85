"""Rulings of decisions before reviewers amended them: what the policy itself said, and a replay compares with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specspan.errors import ConfigurationError
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewFilter, ReviewState, ReviewTask

_VIEWER = "replay"


def rulings_before_review(db: str | None) -> Mapping[str, Mapping[str, Any]]:
    """Return, by id of a decision whose verdict reviewers changed, its ruling before the first of them.

    Raises:
        StoreError: the store cannot be read.
    """
    try:
        queue = ReviewQueue(db)
    except ConfigurationError:  # a kind of store that keeps no reviews
        return {}
    try:
        found: dict[str, tuple[int, Mapping[str, Any]]] = {}
        for task in ruled_tasks(queue, ReviewFilter(state=ReviewState.RULED)):
            for event in queue.history(task.id, _VIEWER):
                amended = event.detail.get("amended")
                known = found.get(task.decision_id)
                if amended is not None and (known is None or event.time_unix_nano < known[0]):
                    found[task.decision_id] = event.time_unix_nano, amended["before"]
        return {decision: before for decision, (_, before) in found.items()}
    finally:
        queue.close()


def ruled_tasks(queue: ReviewQueue, wanted: ReviewFilter) -> Iterator[ReviewTask]:
    """Yield every task that a filter admits."""
    after = None
    while True:
        page = queue.list(wanted, after=after)
        yield from page.tasks
        after = page.next_key
        if after is None:
            return
