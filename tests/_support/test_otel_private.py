"""Private parts of OpenTelemetry are there, in every version that specspan runs with, and do what they did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import get_value
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, TraceFlags

from specspan._support import otel_private


@pytest.fixture
def provider() -> TracerProvider:
    """A provider whose spans go nowhere."""
    return TracerProvider(shutdown_on_exit=False)


def test_spans_go_where_their_tracers_do(provider: TracerProvider) -> None:
    """A tracer, what stands in for one, and a span name one processor; a tracer that does nothing names none."""
    tracer = provider.get_tracer("test")

    class Proxy:
        _tracer = tracer

    span = tracer.start_span("s")
    assert otel_private.processor_of_tracer(tracer) is not None
    assert otel_private.processor_of_tracer(Proxy()) is otel_private.processor_of_tracer(tracer)
    assert otel_private.processor_of_span(span) is otel_private.processor_of_tracer(tracer)
    assert otel_private.processor_of_tracer(trace.NoOpTracer()) is None
    assert otel_private.processor_of_span(trace.INVALID_SPAN) is None


def test_spans_and_tracers_name_their_scope(provider: TracerProvider) -> None:
    """The scope is that of the instrumentation; what has none is None."""
    tracer = provider.get_tracer("acme.client")
    assert otel_private.scope_name(tracer) == otel_private.scope_name(tracer.start_span("s")) == "acme.client"
    assert otel_private.scope_name(object()) is None


def test_the_environment_names_a_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_TRACES_SAMPLER is read as OpenTelemetry reads it."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    assert otel_private.sampler_from_env().get_description() == "AlwaysOffSampler"


def test_exporters_are_suppressed_by_the_key() -> None:
    """OpenTelemetry's own processors set the key around what they export."""
    suppressed: list[object] = []

    class Exporter(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            suppressed.append(get_value(otel_private.SUPPRESS_INSTRUMENTATION_KEY))
            return super().export(spans)

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Exporter()))
    provider.get_tracer("test").start_span("s").end()
    assert suppressed == [True]


def test_a_copied_span_has_its_own_context_and_attributes(provider: TracerProvider) -> None:
    """The copy keeps name, times and events, and the span it was copied from stays as it was."""
    with provider.get_tracer("test").start_as_current_span("s", attributes={"old": 1}) as span:
        span.add_event("event")
    ended = span._readable_span()  # type: ignore[attr-defined]  # what a processor is given
    context = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    copied = otel_private.copy_span(ended, context, BoundedAttributes(attributes={"new": 2}))
    assert (copied.context, dict(copied.attributes or {})) == (context, {"new": 2})
    assert (copied.name, copied.start_time, copied.events) == (ended.name, ended.start_time, ended.events)
    assert dict(ended.attributes or {}) == {"old": 1}


@pytest.mark.parametrize("kind", [TracerProvider, MeterProvider, LoggerProvider])
def test_providers_that_shut_themselves_down_are_known(kind: Callable[..., Any]) -> None:
    """A provider of each signal tells whether it ends with the process; what is no provider of the SDK's does not."""
    by_itself, never = kind(), kind(shutdown_on_exit=False)
    assert otel_private.shuts_down_at_exit(by_itself)
    assert not otel_private.shuts_down_at_exit(never)
    by_itself.shutdown()
    assert not otel_private.shuts_down_at_exit(by_itself)
    assert not otel_private.shuts_down_at_exit(trace.NoOpTracerProvider())
    never.shutdown()


VALUES = {"text": "a", "number": 1, "share": 0.5, "flag": True, "list": ("a", "b")}


class OtherSpan(Span):
    """Span of somebody who looks at every attribute."""

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        super().set_attributes({name.upper(): value for name, value in attributes.items()})


def span_of(kind: type[Span], provider: TracerProvider) -> Span:
    """Return a span of a class, as the tracer of a provider makes it."""
    span = provider.get_tracer("test").start_span("s", attributes={"first": 1, "text": "before"})
    assert isinstance(span, Span)
    span.__class__ = kind
    return span


@pytest.mark.parametrize(
    "limits",
    [
        SpanLimits(),
        SpanLimits(max_span_attributes=3, max_event_attributes=2),
        SpanLimits(max_attribute_length=3),
    ],
    ids=["none", "number", "length"],
)
@pytest.mark.parametrize("kind", [type(TracerProvider().get_tracer("test").start_span("s")), OtherSpan])
@pytest.mark.parametrize("values", [VALUES, {"other": "abcdef"}, {}])
def test_clean_attributes_are_set_as_the_sdk_sets_them(
    kind: type[Span], limits: SpanLimits, values: dict[str, Any]
) -> None:
    """Names, values, their order and what is dropped are those of the span's own methods, whatever its limits."""
    provider = TracerProvider(shutdown_on_exit=False, span_limits=limits)
    span, expected = span_of(kind, provider), span_of(kind, provider)
    otel_private.set_clean_attributes(span, values)
    otel_private.add_clean_event(span, "event", dict(values))
    expected.set_attributes(values)
    expected.add_event("event", values)
    assert list((span.attributes or {}).items()) == list((expected.attributes or {}).items())
    assert span.dropped_attributes == expected.dropped_attributes
    (event,), (expected_event,) = span.events, expected.events
    assert dict(event.attributes or {}) == dict(expected_event.attributes or {})
    assert event.dropped_attributes == expected_event.dropped_attributes
    with pytest.raises(TypeError):
        event.attributes["more"] = 1  # type: ignore[index]


def test_clean_attributes_are_not_looked_at(provider: TracerProvider) -> None:
    """The SDK's own span takes them without its look at each, in every version that specspan runs with."""
    span = provider.get_tracer("test").start_span("s")
    values: dict[str, Any] = {"list": ["not", "a", "tuple"]}
    otel_private.set_clean_attributes(span, values)
    otel_private.add_clean_event(span, "event", values)
    assert isinstance(span, Span)
    assert (span.attributes or {})["list"] is values["list"]
    assert (span.events[0].attributes or {})["list"] is values["list"]


def test_an_ended_span_takes_no_attributes(provider: TracerProvider, caplog: pytest.LogCaptureFixture) -> None:
    """The SDK warns, as it does of its own methods."""
    span = provider.get_tracer("test").start_span("s")
    span.end()
    otel_private.set_clean_attributes(span, VALUES)
    otel_private.add_clean_event(span, "event", VALUES)
    assert isinstance(span, Span)
    assert not span.attributes
    assert not span.events
    assert len(caplog.records) == 2
