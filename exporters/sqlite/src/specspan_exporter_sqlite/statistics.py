"""Counts of decisions in groups: the SQL of `Reader.statistics`, and its answers put together.

Decisions are counted in their rows, as they are stored: putting the whole record of each together takes twenty times as
long. What decisions name by reference is expanded once for all that name the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .groups import group_clauses, group_decisions, order_groups
from .model import Statistics
from .references import EXPANDED_RANGES, HOUR_NS, OUTCOME_OF_KEY, expand_ranges

Rows = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Function that runs a statement with its parameters."""

_VERSIONS = """(SELECT group_concat(json_extract(value, '$.id') || ' ' || coalesce(
    json_extract(value, '$.version'), substr(json_extract(value, '$.digest'), 1, 19)), ', ')
    FROM json_each({record}, '$.spec'))"""
_USER = """(SELECT coalesce(json_extract(p.attributes, '$."user.id"'), json_extract(h.attributes, '$."user.id"'))
    FROM span_row AS p LEFT JOIN span_shared AS h ON h.id = p.shared_id
    WHERE p.trace_id = d.trace_id AND p.span_id = d.span_id)"""
_KEYS = {
    None: "NULL",
    "service": "coalesce(s.service, d.service)",
    "model": "json_extract(d.record, '$.call.model')",
    "day": "date(d.time_unix_nano / 1000000000, 'unixepoch')",
    "spec_version": f"coalesce(s.versions, {_VERSIONS.format(record='d.record')})",
    "user": _USER,
}
# the limit has what decisions share computed once, and not again for each of them
_SHARED = f"""(SELECT id, service, policy_id, {_VERSIONS.format(record="record")} AS versions
    FROM decision_shared LIMIT -1) AS s ON s.id = d.shared_id"""
_DECISIONS = f"decision_row AS d LEFT JOIN {_SHARED}"
_IN_FULL = "f.outcome NOT IN ('complied', 'not_applicable')"  # written out, as partial indexes ask for it
_REASON = "nullif(substr(o.key, length('unassessed:') + 1), '')"
_NAMED = expand_ranges("n.outcomes", "n.policy_id")


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
    key = _KEYS[by]
    decisions = rows(
        f"""SELECT {key}, d.verdict, json_extract(d.record, '$.call.provider'), json_extract(d.record, '$.call.model'),
                count(*), sum(json_extract(d.record, '$.counts.unassessed')),
                sum(json_extract(d.record, '$.call.usage.input_tokens')),
                sum(json_extract(d.record, '$.call.usage.output_tokens')),
                sum(json_extract(d.record, '$.call.usage.cache_read_input_tokens'))
            FROM {_DECISIONS} WHERE d.time_unix_nano >= ? GROUP BY 1, 2, 3, 4""",
        (since,),
    )
    overheads = rows(
        f"""WITH told AS (SELECT {key} AS name, json_extract(d.record, '$.overhead_ns') AS ns
                FROM {_DECISIONS} WHERE d.time_unix_nano >= ?),
            ranked AS (SELECT name, ns, row_number() OVER (PARTITION BY name ORDER BY ns) AS place,
                count(*) OVER (PARTITION BY name) AS number FROM told WHERE ns IS NOT NULL)
            SELECT name, min(CASE WHEN place * 2 >= number THEN ns END),
                min(CASE WHEN place * 100 >= number * 99 THEN ns END)
            FROM ranked GROUP BY name""",
        (since,),
    )
    findings = [*_findings_in_full(rows, key, since), *_unassessed_by_reference(rows, key, since)]
    return group_decisions(decisions, findings, overheads)


def _findings_in_full(rows: Rows, key: str, since: int) -> list[tuple[Any, ...]]:
    """Return findings that are violations or assessed nothing, by group, outcome and reason, and how many clauses.

    A clause that its decision names by reference for the same reason, too, is left to the count of those.
    """
    referenced = f"""EXISTS (SELECT 1 FROM {EXPANDED_RANGES}
        WHERE {OUTCOME_OF_KEY} = 'unassessed' AND {_REASON} IS f.reason
            AND a.clause_id = (SELECT id FROM name WHERE text = f.clause))"""
    return rows(
        f"""SELECT {key}, f.outcome, f.reason, count(*),
                count(DISTINCT CASE WHEN f.outcome = 'violated' OR NOT {referenced}
                    THEN f.decision_id || ' ' || f.clause END)
            FROM finding_row AS f JOIN decision_row AS d ON d.id = f.decision_id LEFT JOIN {_SHARED}
            WHERE {_IN_FULL} AND f.outcome IN ('violated', 'unassessed') AND f.time_unix_nano >= ? GROUP BY 1, 2, 3""",
        (since,),
    )


def _unassessed_by_reference(rows: Rows, key: str, since: int) -> list[tuple[Any, ...]]:
    """Return findings that assessed nothing and are named by reference, as `_findings_in_full` does."""
    return rows(
        f"""SELECT name, 'unassessed', reason, sum(findings * decisions), sum(clauses * decisions)
            FROM (SELECT n.name, n.decisions, {_REASON} AS reason,
                    count(*) AS findings, count(DISTINCT a.clause_id) AS clauses
                FROM ({_namings(key)}) AS n CROSS JOIN {_NAMED}
                WHERE {OUTCOME_OF_KEY} = 'unassessed' GROUP BY n.number, reason)
            GROUP BY name, reason""",
        (since,),
    )


def _by_clause(rows: Rows, since: int) -> list[Statistics]:
    hour = since // HOUR_NS * 3600
    if not rows("SELECT 1 FROM sqlite_master WHERE name = 'clause_count'", ()):  # a file of the first version
        counted = "SELECT clause, outcome, count(*) FROM finding_row WHERE time_unix_nano >= ? GROUP BY 1, 2"
        hour *= 10**9
    else:
        counted = "SELECT clause, outcome, sum(count) FROM clause_count WHERE hour_unix >= ? GROUP BY 1, 2"
    reasons = rows(
        f"""SELECT f.clause, f.reason, count(*) FROM finding_row AS f
            WHERE {_IN_FULL} AND f.outcome = 'unassessed' AND f.time_unix_nano >= ?1 GROUP BY 1, 2
            UNION ALL
            SELECT clause.text, {_REASON}, sum(n.decisions)
            FROM ({_namings("NULL")}) AS n CROSS JOIN {_NAMED}
                JOIN name AS clause ON clause.id = a.clause_id
            WHERE {OUTCOME_OF_KEY} = 'unassessed' GROUP BY 1, 2""",
        (since // HOUR_NS * HOUR_NS,),
    )
    usages = rows(
        f"""SELECT f.clause, json_extract(d.record, '$.call.provider'), json_extract(d.record, '$.call.model'),
                sum(json_extract(d.record, '$.call.usage.input_tokens')),
                sum(json_extract(d.record, '$.call.usage.output_tokens')),
                sum(json_extract(d.record, '$.call.usage.cache_read_input_tokens'))
            FROM (SELECT DISTINCT f.clause, f.decision_id FROM finding_row AS f
                    WHERE {_IN_FULL} AND f.outcome = 'violated' AND f.time_unix_nano >= ?) AS f
                JOIN decision_row AS d ON d.id = f.decision_id GROUP BY 1, 2, 3""",
        (since // HOUR_NS * HOUR_NS,),
    )
    return group_clauses(rows(counted, (hour,)), reasons, usages)


def _namings(key: str) -> str:
    """Return the query of what decisions name by reference as not assessed: once for all that name the same."""
    return f"""SELECT row_number() OVER () AS number, name, policy_id, outcomes, decisions FROM (
        SELECT {key} AS name, s.policy_id AS policy_id, d.outcomes AS outcomes, count(*) AS decisions
        FROM {_DECISIONS} WHERE d.time_unix_nano >= ?1 AND instr(d.outcomes, '"unassessed') GROUP BY 1, 2, 3)"""
