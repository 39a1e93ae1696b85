"""What is known of spans that have not ended yet, by trace and span, within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from opentelemetry.trace import SpanContext

from specspan import losses

T = TypeVar("T")
Key: TypeAlias = tuple[int, int]


def key_of(context: SpanContext) -> Key:
    """Trace and span."""
    return context.trace_id, context.span_id


class BySpan(Generic[T]):
    """One thing a span; past the bound, the oldest is let go and, where it is a loss, counted."""

    def __init__(self, limit: int, what: str | None = None) -> None:
        self._limit = limit
        self._what = what
        self._known: OrderedDict[Key, T] = OrderedDict()
        self._lock = threading.RLock()  # a finaliser that the garbage collector runs may end a span

    def put(self, key: Key, make: Callable[[], T]) -> T:
        """What is known of a span, made where nothing is."""
        with self._lock:
            found = self._known.setdefault(key, make())
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
                if self._what is not None:
                    losses.count(self._what, "too_many")
            return found

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._known

    def take(self, key: Key) -> T | None:
        """What is known of a span; it is forgotten."""
        with self._lock:
            return self._known.pop(key, None)
