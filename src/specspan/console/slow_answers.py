"""Answers that take longer than a page may: made beside the pages, while a page says that they are being made."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from typing import Any, TypeVar

from specspan._support.process import ForkedLock

T = TypeVar("T")
_PATIENCE_S = 0.1
"""Time that a page waits for an answer that may be quick."""


class SlowAnswers:
    """Cache of slow answers, one of which is made at a time."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = ForkedLock()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="specspan-console-slow")
        self._made: dict[Hashable, tuple[float, Any]] = {}
        self._under_way: dict[Hashable, Future[Any]] = {}

    def get(self, key: Hashable, max_age_s: float, make: Callable[[], T]) -> T | None:
        """Return the answer of a key, or the one before while another is made; None while the first one is made.

        An answer older than ``max_age_s`` is made anew. What ``make`` raises is raised.
        """
        with self._lock.held:
            found = self._made.get(key)
            future = self._under_way.get(key)
            if future is None and (found is None or self._clock_s() - found[0] >= max_age_s):
                future = self._under_way[key] = self._executor.submit(make)
        if future is None:
            return None if found is None else found[1]
        try:
            answer: T = future.result(_PATIENCE_S)
        except NotDone:
            if not future.done():
                return None if found is None else found[1]
            raise
        finally:
            if future.done():
                with self._lock.held:
                    self._under_way.pop(key, None)
        with self._lock.held:
            self._made[key] = self._clock_s(), answer
        return answer

    def close(self) -> None:
        """End the thread, once what it makes is done."""
        self._executor.shutdown(cancel_futures=True)
