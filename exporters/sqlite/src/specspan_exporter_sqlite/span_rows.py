"""Rows of spans of the SDK."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, format_span_id, format_trace_id

from .bulk_insert import Row, insert_rows
from .pacing import paced
from .text import encode, integer, optional, storable

_SHARED = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "server.address",
    "server.port",
    "specspan.clauses.considered",
    "specspan.decision.mode",
    "specspan.policy.digest",
    "specspan.spec.digest",
    "specspan.spec.id",
    "specspan.spec.version",
)
"""Attributes that many spans have alike, in the order in which they are stored."""
_COLUMNS = ("specspan.decision.verdict", "specspan.decision.action", "specspan.decision.id")
"""Attributes that stand in a column alone, where they are text."""

SharedPart = tuple[str, str, str]
"""Attributes and scope that many spans have alike, as JSON, and the id of their resource."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one batch, by table."""

    resources: list[Row]
    """Each distinct resource once."""
    spans: list[tuple[Row, SharedPart]]
    """Rows that lack the number of their shared part."""


def rows(spans: Sequence[ReadableSpan]) -> Batch:
    """Return spans, and their resources, as rows."""
    resources: dict[int, Row] = {}  # by identity: a batch shares a handful of objects
    scopes: dict[int, str] = {}
    span_rows = []
    for span in paced(spans):
        resource, scope = span.resource, span.instrumentation_scope
        if id(resource) not in resources:
            resources[id(resource)] = resource_row(resource)
        if id(scope) not in scopes:
            scopes[id(scope)] = encode(_scope(scope))
        span_rows.append(_span_row(span, resources[id(resource)], scopes[id(scope)]))
    return Batch(list(resources.values()), span_rows)


def insert(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write rows. A span that is there already stays as it was first written."""
    insert_rows(connection, "resource", batch.resources, ignores_known=True)
    numbers = _insert_shared(connection, {shared for _, shared in batch.spans})
    span_rows = [(*row, numbers[shared]) for row, shared in batch.spans]
    insert_rows(connection, "span_row", span_rows, ignores_known=True)


def _insert_shared(connection: sqlite3.Connection, parts: Collection[SharedPart]) -> dict[SharedPart, int]:
    """Return the number of each shared part, new ones written first."""
    insert_rows(connection, "span_shared", [(None, *part) for part in parts], ignores_known=True)
    find = "SELECT id FROM span_shared WHERE attributes = ? AND scope = ? AND resource_id = ?"
    return {part: int(connection.execute(find, part).fetchone()[0]) for part in parts}


def resource_row(resource: Resource) -> Row:
    """Return the row of a resource; its id is a digest of its content."""
    attributes = encode(dict(sorted(resource.attributes.items())))
    digest = hashlib.sha256(attributes.encode()).hexdigest()[:32]
    return digest, optional(resource.attributes.get("service.name")), attributes


def _span_row(span: ReadableSpan, resource: Row, scope: str) -> tuple[Row, SharedPart]:
    """Return the row of a span without the last of its columns, and its shared part."""
    context, attributes = span.context, _as_dict(span.attributes)
    resource_id, service, _ = resource
    shared = {name: attributes.pop(name) for name in _SHARED if name in attributes}
    events, links = span.events, span.links
    columns = [optional(attributes.get(name)) for name in _COLUMNS]
    for name, column in zip(_COLUMNS, columns, strict=True):
        if column is not None and attributes[name] == column:
            del attributes[name]
    row = (
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
        *columns,
        encode(attributes),
        encode([_event(event) for event in events]) if events else "[]",
        encode([_link(link) for link in links]) if links else "[]",
        "",
        "",
    )
    return row, (_encode_shared(shared), scope, resource_id)


def _encode_shared(shared: dict[str, Any]) -> str:
    """Return JSON of attributes that many spans have alike, which is made once for them."""
    if not all(value.__class__ is str or value.__class__ is int for value in shared.values()):
        return encode(shared)
    return _encode_items(tuple(shared.items()))


@lru_cache(maxsize=256)
def _encode_items(items: tuple[tuple[str, str | int], ...]) -> str:
    return encode(dict(items))


def _as_dict(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of attributes; that of OpenTelemetry's own mapping is a dictionary, and its views are slow."""
    copied = attributes.copy() if attributes is not None and hasattr(attributes, "copy") else attributes or {}
    return copied if isinstance(copied, dict) else dict(copied)


def _event(event: Any) -> dict[str, Any]:
    return {"name": event.name, "time_unix_nano": event.timestamp, "attributes": _as_dict(event.attributes)}


def _link(link: Link) -> dict[str, Any]:
    return {
        "trace_id": format_trace_id(link.context.trace_id),
        "span_id": format_span_id(link.context.span_id),
        "attributes": dict(link.attributes or {}),
    }


def _scope(scope: InstrumentationScope | None) -> dict[str, Any]:
    if scope is None:
        return {}
    return {
        "name": scope.name,
        "version": scope.version,
        "schema_url": scope.schema_url,
        "attributes": dict(scope.attributes or {}),
    }
