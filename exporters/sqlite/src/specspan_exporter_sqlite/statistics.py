"""Counts of decisions in groups: the SQL of `Reader.statistics`, and its answers put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .groups import group_clauses, group_decisions, order_groups
from .model import Statistics
from .references import HOUR_NS

Rows = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Function that runs a statement with its parameters."""

_KEYS = {
    "service": "d.service",
    "model": "json_extract(d.record, '$.call.model')",
    "day": "date(d.time_unix_nano / 1000000000, 'unixepoch')",
    "spec_version": """(SELECT group_concat(json_extract(value, '$.id') || ' ' || coalesce(
        json_extract(value, '$.version'), substr(json_extract(value, '$.digest'), 1, 19)), ', ')
        FROM json_each(d.record, '$.spec'))""",
    "user": """(SELECT json_extract(s.attributes, '$."user.id"') FROM span AS s
        WHERE s.trace_id = d.trace_id AND s.span_id = d.span_id)""",
}


def count(rows: Rows, by: str | None, since_unix_nano: int) -> list[Statistics]:
    """Return counts of each group, the one with the most calls first; days in their order.

    Args:
        rows: runs a statement.
        by: one of `GROUPS`; None for one group of all.
        since_unix_nano: the earliest time. Grouped by clause, its hour counts whole.
    """
    groups = _by_clause(rows, since_unix_nano) if by == "clause" else _by_key(rows, by, since_unix_nano)
    return order_groups(groups, by)


def _by_key(rows: Rows, by: str | None, since: int) -> list[Statistics]:
    key = "NULL" if by is None else _KEYS[by]
    decisions = rows(
        f"""SELECT {key}, d.verdict, json_extract(d.record, '$.call.provider'), json_extract(d.record, '$.call.model'),
                count(*), sum(json_extract(d.record, '$.counts.unassessed')),
                sum(json_extract(d.record, '$.call.usage.input_tokens')),
                sum(json_extract(d.record, '$.call.usage.output_tokens')),
                sum(json_extract(d.record, '$.call.usage.cache_read_input_tokens'))
            FROM decision AS d WHERE d.time_unix_nano >= ? GROUP BY 1, 2, 3, 4""",
        (since,),
    )
    overheads = rows(
        f"""WITH told AS (SELECT {key} AS name, json_extract(o.record, '$.overhead_ns') AS ns
                FROM decision AS d JOIN decision_row AS o ON o.id = d.id WHERE d.time_unix_nano >= ?),
            ranked AS (SELECT name, ns, row_number() OVER (PARTITION BY name ORDER BY ns) AS place,
                count(*) OVER (PARTITION BY name) AS number FROM told WHERE ns IS NOT NULL)
            SELECT name, min(CASE WHEN place * 2 >= number THEN ns END),
                min(CASE WHEN place * 100 >= number * 99 THEN ns END)
            FROM ranked GROUP BY name""",
        (since,),
    )
    return group_decisions(decisions, _findings(rows, key, since), overheads)


def _findings(rows: Rows, key: str, since: int) -> list[tuple[Any, ...]]:
    """Return findings that are violations or assessed nothing, by group, outcome and reason, and how many clauses."""
    return [
        row
        for outcome in ("violated", "unassessed")  # each by itself: the view then expands no other
        for row in rows(
            f"""SELECT {key}, f.outcome, f.reason, count(*), count(DISTINCT f.decision_id || ' ' || f.clause)
                FROM finding AS f JOIN decision AS d ON d.id = f.decision_id
                WHERE f.outcome = '{outcome}' AND f.time_unix_nano >= ? GROUP BY 1, 2, 3""",
            (since,),
        )
    ]


def _by_clause(rows: Rows, since: int) -> list[Statistics]:
    counted = """SELECT clause, outcome, sum(count) FROM clause_count WHERE hour_unix >= ? GROUP BY 1, 2"""
    hour = since // HOUR_NS * 3600
    if not rows("SELECT 1 FROM sqlite_master WHERE name = 'clause_count'", ()):  # a file of the first version
        counted = "SELECT clause, outcome, count(*) FROM finding WHERE time_unix_nano >= ? GROUP BY 1, 2"
        hour *= 10**9
    reasons = rows(
        """SELECT clause, reason, count(*) FROM finding WHERE outcome = 'unassessed' AND time_unix_nano >= ?
           GROUP BY 1, 2""",
        (since // HOUR_NS * HOUR_NS,),
    )
    return group_clauses(rows(counted, (hour,)), reasons)
