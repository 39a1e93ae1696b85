"""Where spans and log records of others are met: processors of the SDK's, which hand on what concerns model calls.

A provider lets go of no processor, so each has one of ours, once; whom it hands on to changes.
"""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import SpanContext, TracerProvider

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan.bridges.dialect import Event

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
                    drop_counts.count(self._what, "too_many")
            return found

    def __contains__(self, key: Key) -> bool:
        with self._lock:
            return key in self._known

    def take(self, key: Key) -> T | None:
        """What is known of a span; it is forgotten."""
        with self._lock:
            return self._known.pop(key, None)


class Listener(Protocol):
    """Who is told. Nothing that is done here may take long: the application waits for it."""

    def began(self, span: Span, within: Context) -> None:
        """A span began."""

    def ended(self, span: ReadableSpan, provider: TracerProvider | None) -> None:
        """A span of a provider ended."""

    def logged(self, span: Key, event: Event) -> None:
        """Something was logged that belongs to a span."""


class SpanTap(SpanProcessor):
    """On one tracer provider."""

    def __init__(self, provider: Any) -> None:
        self.listener: Listener | None = None
        self._provider = weakref.ref(provider)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Hand on which span began, and within what."""
        if self.listener is not None:
            with guard("bridges.on_start"):
                within = otel_context.get_current() if parent_context is None else parent_context
                self.listener.began(span, within)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand on what it came to."""
        if self.listener is not None:
            with guard("bridges.on_end"):
                self.listener.ended(span, self._provider())

    def shutdown(self) -> None:
        """Its provider is shut down."""
        self.listener = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here: what is decided is flushed by `specspan.force_flush`."""
        return True


class LogTap(LogRecordProcessor):
    """On one logger provider."""

    def __init__(self, provider: Any) -> None:
        self.listener: Listener | None = None

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Hand on the conventions' events."""
        record = log_record.log_record
        name = record.event_name or str((record.attributes or {}).get("event.name", ""))
        if self.listener is not None and name.startswith("gen_ai.") and record.span_id and record.trace_id:
            with guard("bridges.on_emit"):
                event = Event(name, dict(record.attributes or {}), record.body)
                self.listener.logged((record.trace_id, record.span_id), event)

    def shutdown(self) -> None:
        """Its provider is shut down."""
        self.listener = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        return True


_taps: dict[int, SpanTap | LogTap] = {}
"""By identity of their providers, as some are like others or cannot be hashed."""


def tap(provider: Any) -> SpanTap | LogTap | None:
    """The one tap of a provider; None where it takes no processors."""
    known = _taps.get(id(provider))
    if known is not None:
        return known
    made: SpanTap | LogTap
    if hasattr(provider, "add_span_processor"):
        made = SpanTap(provider)
        provider.add_span_processor(made)
    elif hasattr(provider, "add_log_record_processor"):
        made = LogTap(provider)
        provider.add_log_record_processor(made)
    else:
        return None
    _taps[id(provider)] = made
    weakref.finalize(provider, _taps.pop, id(provider), None)
    return made
