"""A queue on a store of each kind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from each_store import db, server

from specspan.review.review_queue import ReviewQueue

__all__ = ["db", "queue", "server"]


@pytest.fixture
def queue(db: str) -> Iterator[ReviewQueue]:
    """Return the queue of that store."""
    opened = ReviewQueue(db)
    yield opened
    opened.close()
