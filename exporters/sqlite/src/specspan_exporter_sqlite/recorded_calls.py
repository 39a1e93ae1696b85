"""Decisions with the spans of their calls, as they are stored: findings that a policy's record names stay unnamed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from .decision_rows import STORED_COLUMNS, stored_record

Record = Mapping[str, Any]

_ROWS_AT_ONCE = 256
_CALLS = f"""SELECT s.policy_id, {STORED_COLUMNS}, h.attributes, p.attributes, p.status,
        coalesce(h.scope, p.scope), p.events
    FROM decision_row AS d LEFT JOIN decision_shared AS s ON s.id = d.shared_id
        LEFT JOIN span_row AS p ON p.trace_id = d.trace_id AND p.span_id = d.span_id
        LEFT JOIN span_shared AS h ON h.id = p.shared_id
    WHERE d.time_unix_nano >= ? ORDER BY d.time_unix_nano, d.id"""
_SPAN_COLUMNS = 5


class StoredCall(NamedTuple):
    """Decision as it was recorded, the record of its policy, and the span of the call."""

    decision: Record
    policy: Record | None = None
    """Record of the policy, by which findings are named; None where none are, or it is missing."""
    attributes: Record | None = None
    """Attributes of the span; None where there is none."""
    has_failed: bool = False
    scope: str = ""
    events: tuple[Record, ...] = ()


def iter_recorded_calls(
    connection: sqlite3.Connection,
    policy_of: Callable[[int | None], Record | None],
    decision_of: Callable[[str], Record] | None,
    since_unix_nano: int | None,
) -> Iterator[StoredCall]:
    """Yield every decision since a time with the span of its call, the earliest first.

    Args:
        connection: the file.
        policy_of: returns the policy record of a number.
        decision_of: returns a decision with the findings that came after it; None where the file keeps none.
        since_unix_nano: the earliest time; None for all.
    """
    late = set[str]()
    if decision_of is not None:
        late = {str(id_) for (id_,) in connection.execute("SELECT DISTINCT decision_id FROM late_finding")}
    shared = _Texts()
    rows = connection.execute(_CALLS, (since_unix_nano or 0,))
    while found := rows.fetchmany(_ROWS_AT_ONCE):
        for policy_id, own, outcomes, of_many, when, *rest in found:
            texts, (common, attributes, status, scope, events) = rest[:-_SPAN_COLUMNS], rest[-_SPAN_COLUMNS:]
            decision = stored_record(
                (json.loads(own), None if outcomes is None else shared[outcomes], shared[of_many], when, *texts)
            )
            policy = policy_of(policy_id)
            if decision_of is not None and ("pending" in decision or decision["id"] in late):
                decision, policy = decision_of(str(decision["id"])), None
            if attributes is None:
                yield StoredCall(decision, policy)
                continue
            told = {**(shared[common] or {}), **json.loads(attributes)}
            events_told = () if events in (None, "[]") else tuple(json.loads(events))
            name = str((shared[scope] or {}).get("name") or "")
            yield StoredCall(decision, policy, told, status == "ERROR", name, events_told)


class _Texts(dict[str | None, Any]):
    """Values of JSON texts that many rows have alike, each read once."""

    def __missing__(self, text: str | None) -> Any:
        if len(self) > 1024:
            self.clear()
        self[text] = None if text is None else json.loads(text)
        return self[text]
