"""OTLP of exporters that specspan makes: the bytes of OpenTelemetry's encoding, with less work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from otlp_receiver import over_http

from specspan.runtime import otel_providers
from specspan.runtime.otlp_encoding import BatchEncoder

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False)
LONG = st.builds(lambda text, times: text * times, TEXTS, st.sampled_from([30, 60, 3_000]))
PLAIN = st.one_of(
    LONG, TEXTS, st.booleans(), INTEGERS, FLOATS, st.sampled_from([0, 1, 0.0, -0.0, 1.0, True, False, ""])
)
LISTS = st.one_of(*(st.lists(each, max_size=3) for each in (TEXTS, st.booleans(), INTEGERS, FLOATS)))
ATTRIBUTES = st.dictionaries(st.sampled_from("abcd"), st.one_of(PLAIN, LISTS, st.binary(max_size=3)), max_size=4)
EVENTS = st.lists(st.tuples(TEXTS, ATTRIBUTES, st.integers(0, 2**63 - 1)), max_size=2)
SPANS = st.lists(
    st.tuples(TEXTS, ATTRIBUTES, st.sampled_from(SpanKind), st.booleans(), st.booleans(), EVENTS), min_size=1
)
Described = tuple[str, dict[str, Any], SpanKind, bool, bool, list[tuple[str, dict[str, Any], int]]]


def make_spans(described: Sequence[Described]) -> Sequence[ReadableSpan]:
    """Return ended spans, of two resources and two scopes; some have parents, events, a status and links."""
    exporter = InMemorySpanExporter()
    tracers = []
    for name in ("one", "two"):
        provider = TracerProvider(resource=Resource({"service.name": name, "n": 1}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        tracers += [provider.get_tracer("a", "1", "https://schema", {"x": 1}), provider.get_tracer("b")]
    parent: Span | None = None
    for number, (name, attributes, kind, is_child, is_linked, events) in enumerate(described):
        context = set_span_in_context(parent) if parent is not None and is_child else None
        span = tracers[number % 4].start_span(name, context, kind, attributes)
        for event, event_attributes, time_unix_nano in events:
            span.add_event(event, event_attributes, time_unix_nano)
        if is_linked:
            span.add_link(span.get_span_context(), {"n": 1})
            span.set_status(Status(StatusCode.ERROR, "failed"))
        span.end()
        parent = span
    return exporter.get_finished_spans()


def by_group(request: Any, scopes: str, items: str) -> list[tuple[bytes, bytes, str, list[bytes]]]:
    """Return what a request holds, whatever the order of its groups and of fields."""
    (resources,) = (value for _, value in request.ListFields())
    return sorted(
        (
            each.resource.SerializeToString(deterministic=True),
            scope.scope.SerializeToString(deterministic=True),
            scope.schema_url,
            [item.SerializeToString(deterministic=True) for item in getattr(scope, items)],
        )
        for each in resources
        for scope in getattr(each, scopes)
    )


@given(SPANS)
def test_spans_are_encoded_as_opentelemetry_encodes_them(described: Any) -> None:
    """Whatever attributes, events, links and parents there are, and whether their encoding is known already."""
    spans = make_spans(described)
    expected = by_group(encode_spans(spans), "scope_spans", "spans")
    encoder = BatchEncoder()
    for _ in range(2):
        data = encoder.encode_spans(spans).SerializeToString()
        assert by_group(ExportTraceServiceRequest.FromString(data), "scope_spans", "spans") == expected


@given(st.lists(st.tuples(ATTRIBUTES, st.one_of(st.none(), TEXTS)), min_size=1))
def test_log_records_are_encoded_as_opentelemetry_encodes_them(described: Any) -> None:
    """With a body and without."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    provider = LoggerProvider(resource=Resource({"service.name": "one"}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    for attributes, body in described:
        record = LogRecord(timestamp=5, severity_number=SeverityNumber.WARN, severity_text="WARN", body=body)
        record.attributes, record.event_name = attributes, "happened"
        provider.get_logger("a").emit(record)
    records = exporter.get_finished_logs()
    expected = by_group(encode_logs(records), "scope_logs", "log_records")
    encoder = BatchEncoder()
    for _ in range(2):
        data = encoder.encode_logs(records).SerializeToString()
        assert by_group(ExportLogsServiceRequest.FromString(data), "scope_logs", "log_records") == expected


def test_what_cannot_be_encoded_is_left_to_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of ours is counted, and the batch is sent all the same."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    encoder = BatchEncoder()
    monkeypatch.setattr(encoder, "_encode_span", lambda span: span.no_such_field)
    (span,) = make_spans([("work", {}, SpanKind.CLIENT, False, False, [])])
    assert encoder.encode_spans([span]) == encode_spans([span])


def test_the_exporters_that_are_made_here_share_encodings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter of the installed OpenTelemetry encodes by ours, and others of its class go on as they did."""
    with over_http() as (endpoint, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        ours = otel_providers.create_exporter(otel_providers.TRACES, "otlp_proto_http")
        logs = otel_providers.create_exporter(otel_providers.LOGS, "otlp_proto_http")
        theirs = type(ours)()
        ours.export(make_spans([("work", {"a": 1}, SpanKind.CLIENT, False, False, [])]))
        for exporter in (ours, logs, theirs):
            exporter.shutdown()
    assert received.names == ["work"]
    assert isinstance(ours.export.__globals__["encode_spans"].__self__, BatchEncoder)
    assert isinstance(logs.export.__globals__["encode_logs"].__self__, BatchEncoder)
    assert theirs.export.__globals__["encode_spans"] is encode_spans


def test_many_values_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids and counts are different in every span: what is kept of them is bounded, and long texts are not kept."""
    encoder = BatchEncoder()
    spans = make_spans(
        [
            ("work", {"a": f"{number}", "b": "x" * 1_000, "c": ["d"] * 9}, SpanKind.CLIENT, False, False, [])
            for number in range(10)
        ]
    )
    monkeypatch.setattr("specspan.runtime.otlp_encoding._MAX_KEPT", 4)
    encoder.encode_spans(spans)
    known = encoder._span_attributes._known
    assert 0 < len(known) <= 4
    assert all(kind is str and len(value) <= 256 for _, value, kind in known)
