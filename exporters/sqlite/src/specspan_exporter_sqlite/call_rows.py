"""Calls as one clause sees them, read from the file some hundred rows at a time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .call_groups import CLAUSE_END, FINDING_END, CallGroup, GroupRow, read_groups
from .clause_calls import CallRow, ClauseCall, Lookups, read_calls

Record = Mapping[str, Any]

_CALLS = """SELECT d.id, d.time_unix_nano, d.trace_id, d.span_id,
        CASE WHEN d.shared_id IS NULL THEN d.record END, d.shared_id, s.policy_id, d.outcomes,
        json_extract(d.record, '$.call.model'),
        (SELECT group_concat(f.outcome) FROM finding_row AS f WHERE f.decision_id = d.id AND f.clause = ?),
        coalesce(h.resource_id, p.resource_id)
    FROM decision_row AS d LEFT JOIN decision_shared AS s ON s.id = d.shared_id
        LEFT JOIN span_row AS p ON p.trace_id = d.trace_id AND p.span_id = d.span_id
        LEFT JOIN span_shared AS h ON h.id = p.shared_id
    WHERE d.time_unix_nano >= ? AND d.time_unix_nano < ? ORDER BY d.time_unix_nano, d.id"""
_GROUPS = f"""SELECT whole, shared_id, policy_id, verdict, outcomes, found, overrides, count(*) FROM (
    SELECT CASE WHEN d.shared_id IS NULL THEN d.record END AS whole, d.shared_id, s.policy_id, d.verdict, d.outcomes,
        (SELECT group_concat(f.clause || char({ord(CLAUSE_END)}) || f.outcome || char({ord(CLAUSE_END)})
                || coalesce(f.reason, ''), char({ord(FINDING_END)}))
            FROM finding_row AS f WHERE f.decision_id = d.id) AS found,
        json_extract(d.record, '$.overrides') AS overrides
    FROM decision_row AS d LEFT JOIN decision_shared AS s ON s.id = d.shared_id
    WHERE d.time_unix_nano >= ? AND d.time_unix_nano < ?)
    GROUP BY 1, 2, 3, 4, 5, 6, 7"""
_ROWS_AT_ONCE = 500
_EVER = 2**63 - 1


def iter_calls(
    connection: sqlite3.Connection,
    policy_of: Callable[[int | None], Record | None],
    clause: str,
    since_unix_nano: int | None,
    until_unix_nano: int | None,
) -> Iterator[ClauseCall]:
    """Yield the calls that a clause has an outcome for, from a time up to another, the earliest first."""
    until = _EVER if until_unix_nano is None else until_unix_nano
    rows = _rows(connection, (clause, since_unix_nano or 0, until))
    yield from read_calls(rows, clause, _lookups(connection, policy_of))


def iter_groups(
    connection: sqlite3.Connection,
    policy_of: Callable[[int | None], Record | None],
    since_unix_nano: int,
    until_unix_nano: int,
) -> Iterator[CallGroup]:
    """Yield groups of calls that were decided alike, from a time up to another."""
    rows = connection.execute(_GROUPS, (since_unix_nano, until_unix_nano))
    yield from read_groups((GroupRow(*row) for row in rows), _lookups(connection, policy_of))


def _lookups(connection: sqlite3.Connection, policy_of: Callable[[int | None], Record | None]) -> Lookups:
    def look_up(sql: str, key: int | str) -> Record:
        found = connection.execute(sql, (key,)).fetchone()
        value = json.loads(found[0]) if found else {}
        return value if isinstance(value, dict) else {}

    return Lookups(
        shared=lambda key: look_up("SELECT record FROM decision_shared WHERE id = ?", key),
        policy=lambda key: policy_of(int(key)),
        resource=lambda key: look_up("SELECT attributes FROM resource WHERE id = ?", key),
    )


def _rows(connection: sqlite3.Connection, values: tuple[Any, ...]) -> Iterator[CallRow]:
    rows = connection.execute(_CALLS, values)
    while found := rows.fetchmany(_ROWS_AT_ONCE):
        for row in found:
            yield CallRow(*row)
