"""Answers that many visitors share for a few seconds, each made by one thread at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from specspan._support.process import ForkedLock

T = TypeVar("T")

_MOST_KEYS = 512


@dataclass(slots=True)
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Any = None
    made_at_s: float | None = None


class CachedAnswers:
    """Cache of answers about the whole store. While one thread makes an answer anew, the others have the one before."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = ForkedLock()
        self._entries: dict[Hashable, _Entry] = {}

    def get(self, key: Hashable, max_age_s: float, make: Callable[[], T]) -> T:
        """Return the answer of a key; where it is older than ``max_age_s``, make it."""
        with self._lock.held:
            if len(self._entries) >= _MOST_KEYS and key not in self._entries:
                del self._entries[next(iter(self._entries))]
            entry = self._entries.setdefault(key, _Entry())
        value: T
        if entry.made_at_s is not None and self._clock_s() - entry.made_at_s < max_age_s:
            value = entry.value
            return value
        is_first = entry.lock.acquire(blocking=entry.made_at_s is None)
        if not is_first:
            value = entry.value
            return value
        try:
            if entry.made_at_s is None or self._clock_s() - entry.made_at_s >= max_age_s:
                entry.value = make()
                entry.made_at_s = self._clock_s()
            value = entry.value
            return value
        finally:
            entry.lock.release()
