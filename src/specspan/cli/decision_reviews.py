"""Reviews of one decision, as commands show them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from rich.text import Text

from specspan.cli.terminal import clean
from specspan.review.review_queue import ReviewQueue


def reviews_of(db: str | None, decision_id: str) -> list[dict[str, Any]]:
    """Return what is known of each review of a decision; what reviewers ruled, once nobody rules any more.

    Raises:
        StoreError: the store cannot be read.
    """
    with closing(ReviewQueue(db)) as queue:
        tasks = [queue.task(each) for each in queue.task_ids(f"{decision_id}.", 1000)]
    return [
        {
            "id": task.id,
            "clause": task.clause,
            "state": task.state.value,
            "causes": [cause.value for cause in task.causes],
            "ruled_outcome": task.ruled_outcome,
            "ruled_by": list(task.ruled_by),
            "ruled_unix_nano": task.ruled_unix_nano,
        }
        for task in tasks
    ]


def review_line(each: Mapping[str, Any]) -> Text:
    """Return a review in one line."""
    words = (each["clause"], each["state"], each.get("ruled_outcome"), *each.get("ruled_by", ()))
    return Text("  " + "  ".join(clean(word) for word in words if word))
