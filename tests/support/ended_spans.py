"""The spans that ended during a test, by name."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

ENDED_HERE: ContextVar[str] = ContextVar("ended_here", default="")
"""Span that ended last in the current context."""


class _Marking(SpanProcessor):
    """Processor that sets a variable of the context in which a span ends, as exporters do."""

    def on_end(self, span: ReadableSpan) -> None:
        ENDED_HERE.set(span.name)


class Spans:
    """The spans that were ended, and a tracer for spans of the test's own."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.provider.add_span_processor(_Marking())
        self.tracer: Tracer = self.provider.get_tracer("test")

    @property
    def all(self) -> tuple[ReadableSpan, ...]:
        return self._exporter.get_finished_spans()

    def clear(self) -> None:
        self._exporter.clear()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.all]

    def named(self, name: str) -> ReadableSpan:
        """The one span called ``name``: it was ended once, and only once."""
        (found,) = [span for span in self.all if span.name == name]
        return found

    def parent_of(self, name: str) -> str | None:
        """The name of the span above the one called ``name``."""
        parent = self.named(name).parent
        if parent is None:
            return None
        (above,) = [span for span in self.all if span.context is not None and span.context.span_id == parent.span_id]
        return above.name

    def attributes(self, name: str) -> Mapping[str, Any]:
        return self.named(name).attributes or {}

    def ending(self, name: str) -> object:
        """How the span called ``name`` ended: the type of its error, how its stream ended, or completed."""
        attributes = self.attributes(name)
        return attributes.get("error.type") or attributes.get("specspan.stream.end") or "completed"
