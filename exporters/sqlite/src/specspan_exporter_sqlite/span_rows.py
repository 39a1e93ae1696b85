"""Rows of spans of the SDK."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, format_span_id, format_trace_id

from specspan_exporter_sqlite.bulk_insert import Row, insert_rows
from specspan_exporter_sqlite.text import encode, integer, optional, storable


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one batch, by table."""

    resources: list[Row]
    """Each distinct resource once."""
    spans: list[Row]


def rows(spans: Sequence[ReadableSpan]) -> Batch:
    """Return spans, and their resources, as rows."""
    resources: dict[int, Row] = {}  # by identity: a batch shares a handful of objects
    span_rows = []
    for span in spans:
        resource = span.resource
        if id(resource) not in resources:
            resources[id(resource)] = resource_row(resource)
        span_rows.append(span_row(span, resources[id(resource)]))
    return Batch(list(resources.values()), span_rows)


def insert(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write rows. A span that is there already stays as it was first written."""
    insert_rows(connection, "resource", batch.resources, ignores_known=True)
    insert_rows(connection, "span", batch.spans, ignores_known=True)


def resource_row(resource: Resource) -> Row:
    """Return the row of a resource; its id is a digest of its content."""
    attributes = encode(dict(sorted(resource.attributes.items())))
    digest = hashlib.sha256(attributes.encode()).hexdigest()[:32]
    return digest, optional(resource.attributes.get("service.name")), attributes


def span_row(span: ReadableSpan, resource: Row) -> Row:
    """Return the row of a span, in the order of the table's columns."""
    context, attributes = span.context, dict(span.attributes or {})
    resource_id, service, _ = resource
    return (
        format_trace_id(context.trace_id) if context else "0" * 32,
        format_span_id(context.span_id) if context else "0" * 16,
        format_span_id(span.parent.span_id) if span.parent else None,
        storable(span.name),
        span.kind.name,
        integer(span.start_time),
        integer(span.end_time),
        span.status.status_code.name,
        optional(span.status.description),
        service,
        optional(attributes.get("specspan.decision.verdict")),
        optional(attributes.get("specspan.decision.action")),
        optional(attributes.get("specspan.decision.id")),
        encode(attributes),
        encode([_event(event) for event in span.events]),
        encode([_link(link) for link in span.links]),
        encode(_scope(span)),
        resource_id,
    )


def _event(event: Any) -> dict[str, Any]:
    return {"name": event.name, "time_unix_nano": event.timestamp, "attributes": dict(event.attributes or {})}


def _link(link: Link) -> dict[str, Any]:
    return {
        "trace_id": format_trace_id(link.context.trace_id),
        "span_id": format_span_id(link.context.span_id),
        "attributes": dict(link.attributes or {}),
    }


def _scope(span: ReadableSpan) -> dict[str, Any]:
    scope = span.instrumentation_scope
    if scope is None:
        return {}
    return {
        "name": scope.name,
        "version": scope.version,
        "schema_url": scope.schema_url,
        "attributes": dict(scope.attributes or {}),
    }
