"""Span and log processors that pass what concerns model calls to a listener.

A provider never removes a processor, so each provider gets one of ours once, and its listener changes.
"""

from __future__ import annotations

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
from specspan._support.process import ForkedLock
from specspan.bridges.dialect import Event
from specspan.record.foreign_conventions import EVENT_NAME, EVENT_PREFIX

SpanKey: TypeAlias = tuple[int, int]


def span_key(context: SpanContext) -> SpanKey:
    """Return trace and span id."""
    return context.trace_id, context.span_id


class SpanListener(Protocol):
    """Receiver of spans and log events; the application waits for every method, so all must be quick."""

    def on_start(self, span: Span, within: Context) -> None:
        """Receive a span that started."""

    def on_end(self, span: ReadableSpan, provider: TracerProvider | None) -> None:
        """Receive an ended span and its provider."""

    def on_log(self, span: SpanKey, event: Event) -> None:
        """Receive a log event that belongs to a span."""


class ListeningSpanProcessor(SpanProcessor):
    """Span processor of one tracer provider, with a listener that can change."""

    def __init__(self, provider: Any) -> None:
        self.listener: SpanListener | None = None
        self._provider = weakref.ref(provider)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Pass a started span to the listener, with its parent context."""
        if self.listener is not None:
            with guard("bridges.on_start"):
                within = otel_context.get_current() if parent_context is None else parent_context
                self.listener.on_start(span, within)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass an ended span to the listener."""
        if self.listener is not None:
            with guard("bridges.on_end"):
                self.listener.on_end(span, self._provider())

    def shutdown(self) -> None:
        """Drop the listener when the provider shuts down."""
        self.listener = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True at once: `specspan.force_flush` flushes the decisions."""
        return True


class ListeningLogProcessor(LogRecordProcessor):
    """Log processor of one logger provider, with a listener that can change."""

    def __init__(self, provider: Any) -> None:
        self.listener: SpanListener | None = None

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Pass a GenAI event to the listener."""
        record = log_record.log_record
        name = record.event_name or str((record.attributes or {}).get(EVENT_NAME, ""))
        if self.listener is not None and name.startswith(EVENT_PREFIX) and record.span_id and record.trace_id:
            with guard("bridges.on_emit"):
                event = Event(name, dict(record.attributes or {}), record.body)
                self.listener.on_log((record.trace_id, record.span_id), event)

    def shutdown(self) -> None:
        """Drop the listener when the provider shuts down."""
        self.listener = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True at once, because nothing waits here."""
        return True


_processors: dict[int, ListeningSpanProcessor | ListeningLogProcessor] = {}
"""Processors by identity of their provider: providers may be equal to others, or not hashable."""


def attach_processor(provider: Any) -> ListeningSpanProcessor | ListeningLogProcessor | None:
    """Return the processor of a provider, added on the first call; None if the provider takes none."""
    existing = _processors.get(id(provider))
    if existing is not None:
        return existing
    processor: ListeningSpanProcessor | ListeningLogProcessor
    if hasattr(provider, "add_span_processor"):
        processor = ListeningSpanProcessor(provider)
        provider.add_span_processor(processor)
    elif hasattr(provider, "add_log_record_processor"):
        processor = ListeningLogProcessor(provider)
        provider.add_log_record_processor(processor)
    else:
        return None
    _processors[id(provider)] = processor
    weakref.finalize(provider, _processors.pop, id(provider), None)
    return processor


T = TypeVar("T")


class SpanMap(Generic[T]):
    """Values by open span; past the limit the oldest is dropped and, if it is a loss, counted."""

    def __init__(self, limit: int, what: str | None = None) -> None:
        self._limit = limit
        self._what = what
        self._known: OrderedDict[SpanKey, T] = OrderedDict()
        self._lock = ForkedLock()  # reentrant: a finaliser run by the garbage collector may end a span

    def setdefault(self, key: SpanKey, make: Callable[[], T]) -> T:
        """Return the value of a span, made by ``make`` if there is none."""
        with self._lock.held:
            item = self._known.setdefault(key, make())
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
                if self._what is not None:
                    drop_counts.count(self._what, "too_many")
            return item

    def __contains__(self, key: SpanKey) -> bool:
        with self._lock.held:
            return key in self._known

    def pop(self, key: SpanKey) -> T | None:
        """Remove and return the value of a span."""
        with self._lock.held:
            return self._known.pop(key, None)
