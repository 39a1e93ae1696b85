"""Pauses between the items of a batch, so that a thread that makes calls gets the interpreter lock when it asks for it.

The interpreter takes its lock from a thread that computes only after 5 ms (`sys.getswitchinterval`), so an event loop
that wakes while rows are made is late by as much.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_WORK_S = 0.0005
_PAUSE_S = 0.0001  # long enough for the operating system to wake whoever waits for the lock


def paced(items: Iterable[T]) -> Iterator[T]:
    """Yield items, and give the interpreter lock away each time that half of a millisecond was worked on them."""
    since_s = time.perf_counter()
    for item in items:
        yield item
        if time.perf_counter() - since_s >= _WORK_S:
            time.sleep(_PAUSE_S)
            since_s = time.perf_counter()
