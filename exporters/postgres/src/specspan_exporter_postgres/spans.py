"""Insertion of spans, with what many of them share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan

from specspan.sqlite import span_rows
from specspan.sqlite.text import storable
from specspan_exporter_postgres.writer import Session

_COLUMNS = """trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano, status, status_message,
    service, verdict, action, decision_id, attributes, events, links, user_id, violated, shared_id"""
_KNOWN = """SELECT trace_id, span_id FROM specspan.span
    WHERE (trace_id, span_id) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""
_VERDICT, _ATTRIBUTES, _LINKS = 10, 13, 15


def number(*texts: str) -> int:
    """Return a number of 64 bits that stands for texts: the start of their digest."""
    digest = hashlib.sha256("\x1f".join(texts).encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)


def insert_spans(session: Session, spans: Sequence[ReadableSpan]) -> None:
    """Write spans with what they share. A span that is there already stays as it was first written."""
    batch = span_rows.rows(spans)
    rows = {row[:2]: (row, shared) for row, shared in reversed(batch.spans)}  # the first of a batch stays, too
    found = session.connection.execute(_KNOWN, ([key[0] for key in rows], [key[1] for key in rows]))
    for key in found.fetchall():
        del rows[key]
    session.insert_new("resource", {row[0]: row for row in batch.resources})
    numbers = {shared: number(*shared) for _, shared in rows.values()}
    session.insert_new("span_shared", {numbers[shared]: (numbers[shared], *shared) for shared in numbers})
    session.copy("span", _COLUMNS, [_row(row, numbers[shared]) for row, shared in reversed(rows.values())])


def _row(row: tuple[Any, ...], shared_id: int) -> tuple[Any, ...]:
    text = row[_ATTRIBUTES]
    user = violated = None
    if '"user.id"' in text or row[_VERDICT] == "violated":
        attributes = json.loads(text)
        user = attributes.get("user.id")
        listed = attributes.get("specspan.clauses.violated") if row[_VERDICT] == "violated" else None
        violated = [storable(str(clause)).replace("\0", "\ufffd") for clause in listed or ()]
    return (*row[: _LINKS + 1], None if user is None else storable(str(user)), violated, shared_id)
