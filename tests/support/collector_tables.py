"""Tables of the Collector's ClickHouse exporter, and rows as it writes them: attributes as maps, or as JSON.

The columns and their types are the exporter's own
(https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/clickhouseexporter); its indexes
for searches of text are left out. Log records are encoded for OTLP by the exporter that an application has, and read
back from the protocol.
"""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk.trace import ReadableSpan

from specspan.runtime.otlp_decisions import _encode
from specspan.sqlite.model import StoredSpan

_LOGS = """CREATE TABLE IF NOT EXISTS otel_logs (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), {own}
    TraceId String, SpanId String, TraceFlags UInt8, SeverityText LowCardinality(String), SeverityNumber UInt8,
    ServiceName LowCardinality(String), Body String CODEC(ZSTD(1)), ResourceSchemaUrl LowCardinality(String),
    ResourceAttributes {kind}, ScopeSchemaUrl LowCardinality(String), ScopeName String,
    ScopeVersion LowCardinality(String), ScopeAttributes {kind}, LogAttributes {kind}
    ) ENGINE = MergeTree PARTITION BY toDate(Timestamp) ORDER BY (ServiceName, toDateTime(Timestamp), Timestamp)"""
_TRACES = """CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)), TraceId String, SpanId String, ParentSpanId String,
    TraceState String, SpanName LowCardinality(String), SpanKind LowCardinality(String),
    ServiceName LowCardinality(String), ResourceAttributes {kind}, ScopeName String, ScopeVersion String,
    SpanAttributes {kind}, Duration UInt64, StatusCode LowCardinality(String), StatusMessage String,
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes {kind}),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes {kind})
    ) ENGINE = MergeTree PARTITION BY toDate(Timestamp)
    ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)"""
_MAP = "Map(LowCardinality(String), String)"
FORMS = ("map", "json")


class Collector:
    """Writer of a database's tables, as a Collector is. It has the methods of a store's exporters."""

    def __init__(self, url: str, form: str = "map") -> None:
        """Make the tables, unless they are there."""
        self._url = urlsplit(url)
        self._is_json = form == "json"
        kind, own = ("JSON", "") if self._is_json else (_MAP, "TimestampTime DateTime DEFAULT toDateTime(Timestamp),")
        self.run(_LOGS.format(kind=kind, own=own))
        self.run(_TRACES.format(kind=kind))

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write records as the log records that an application's exporter makes of them."""
        self.write_logs(
            ExportLogsServiceRequest.FromString(_encode([{"time_unix_nano": 0, **each} for each in records]))
        )

    def write_logs(self, request: ExportLogsServiceRequest) -> None:
        """Write the log records of a request."""
        rows = []
        for of_resource in request.resource_logs:
            resource = {each.key: _value(each.value) for each in of_resource.resource.attributes}
            for of_scope in of_resource.scope_logs:
                rows += [self._log(record, resource, of_scope.scope) for record in of_scope.log_records]
        self._insert("otel_logs", rows)

    def _log(self, record: Any, resource: Mapping[str, Any], scope: Any) -> dict[str, Any]:
        return {
            "Timestamp": _time(record.time_unix_nano),
            "TraceId": record.trace_id.hex(),
            "SpanId": record.span_id.hex(),
            "SeverityText": record.severity_text,
            "SeverityNumber": record.severity_number,
            "ServiceName": resource.get("service.name", ""),
            "Body": record.body.string_value,
            "ResourceAttributes": self._attributes(resource),
            "ScopeName": scope.name,
            "ScopeVersion": scope.version,
            "LogAttributes": self._attributes({each.key: _value(each.value) for each in record.attributes}),
        }

    def write(self, spans: Sequence[ReadableSpan]) -> None:
        """Write spans."""
        self._insert("otel_traces", [self._span(span) for span in spans])

    def copy(self, spans: Sequence[StoredSpan]) -> None:
        """Write spans that were read from another store."""
        self._insert("otel_traces", [self._stored(span) for span in spans])

    def shutdown(self) -> None:
        """Do nothing: each batch is a request of its own."""

    def run(self, sql: str) -> bytes:
        """Run a statement, and return what the server answers."""
        host = f"http://{self._url.hostname}:{self._url.port}/?database={quote(self._url.path.strip('/'))}"
        user = f"{self._url.username}:{unquote(self._url.password or '')}".encode()
        headers = {"Authorization": "Basic " + base64.b64encode(user).decode()}
        with urllib.request.urlopen(urllib.request.Request(host, sql.encode(), headers)) as answer:
            return bytes(answer.read())

    def _insert(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
            self.run(f"INSERT INTO {table} FORMAT JSONEachRow\n{lines}")

    def _span(self, span: ReadableSpan) -> dict[str, Any]:
        context, resource, scope = span.get_span_context(), span.resource.attributes, span.instrumentation_scope
        assert context is not None
        return {
            "Timestamp": _time(span.start_time or 0),
            "TraceId": f"{context.trace_id:032x}",
            "SpanId": f"{context.span_id:016x}",
            "ParentSpanId": f"{span.parent.span_id:016x}" if span.parent else "",
            "SpanName": span.name,
            "SpanKind": span.kind.name.capitalize(),
            "ServiceName": str(resource.get("service.name", "")),
            "ResourceAttributes": self._attributes(resource),
            "ScopeName": scope.name if scope else "",
            "ScopeVersion": (scope.version if scope else "") or "",
            "SpanAttributes": self._attributes(span.attributes or {}),
            "Duration": (span.end_time or 0) - (span.start_time or 0),
            "StatusCode": span.status.status_code.name.capitalize(),
            "StatusMessage": span.status.description or "",
            "Events.Timestamp": [_time(event.timestamp) for event in span.events],
            "Events.Name": [event.name for event in span.events],
            "Events.Attributes": [self._attributes(event.attributes or {}) for event in span.events],
        }

    def _stored(self, span: StoredSpan) -> dict[str, Any]:
        return {
            "Timestamp": _time(span.start_unix_nano),
            "TraceId": span.trace_id,
            "SpanId": span.span_id,
            "ParentSpanId": span.parent_span_id or "",
            "SpanName": span.name,
            "SpanKind": span.kind.capitalize(),
            "ServiceName": span.service or "",
            "ResourceAttributes": self._attributes(span.resource),
            "ScopeName": span.scope.get("name") or "",
            "ScopeVersion": span.scope.get("version") or "",
            "SpanAttributes": self._attributes(span.attributes),
            "Duration": span.duration_ns,
            "StatusCode": span.status.capitalize(),
            "StatusMessage": span.status_message or "",
            "Events.Timestamp": [_time(event["time_unix_nano"]) for event in span.events],
            "Events.Name": [event["name"] for event in span.events],
            "Events.Attributes": [self._attributes(event["attributes"]) for event in span.events],
        }

    def _attributes(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        if self._is_json:
            return {name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()}
        return {name: _text(value) for name, value in attributes.items()}


def _text(value: Any) -> str:
    """Return the text that the Collector makes of a value."""
    if isinstance(value, str):
        return value
    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False, separators=(",", ":"))


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind)


def _time(unix_nano: int) -> str:
    seconds, rest = divmod(unix_nano, 10**9)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S}.{rest:09}"
