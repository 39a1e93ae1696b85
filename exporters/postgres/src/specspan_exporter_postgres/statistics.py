"""Counts of decisions in groups: the SQL of `Reader.statistics`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specspan.sqlite.groups import group_clauses, group_decisions, order_groups
from specspan.sqlite.model import Statistics
from specspan_exporter_postgres.schema import HOUR_NS

Rows = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Function that runs a statement with its parameters."""

_KEYS = {
    "service": "coalesce(s.service, d.service)",
    "model": "d.model",
    "day": "to_char(to_timestamp(d.time_unix_nano / 1000000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD')",
    "spec_version": "CASE WHEN d.shared_id IS NULL THEN d.spec_version ELSE s.spec_version END",
    "user": """(SELECT user_id FROM specspan.span WHERE span.trace_id = d.trace_id AND span.span_id = d.span_id)""",
}
_FROM = "FROM specspan.decision AS d LEFT JOIN specspan.decision_shared AS s ON s.id = d.shared_id"


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
    key = "NULL::text" if by is None else _KEYS[by]
    decisions = rows(
        f"""SELECT {key}, d.verdict, d.provider, d.model, count(*), sum(d.not_assessed)::bigint,
                sum(d.input_tokens)::bigint, sum(d.output_tokens)::bigint, sum(d.cache_read_input_tokens)::bigint
            {_FROM} WHERE d.time_unix_nano >= %s GROUP BY 1, 2, 3, 4""",
        (since,),
    )
    in_full = rows(
        f"""SELECT {key}, f.outcome, f.reason, count(*),
                count(DISTINCT f.decision_id || ' ' || f.clause) FILTER (WHERE NOT EXISTS (
                    SELECT 1 FROM specspan.outcome_finding AS o WHERE o.outcomes_id = d.outcomes_id
                        AND o.clause = f.clause AND o.outcome = f.outcome AND o.reason IS NOT DISTINCT FROM f.reason))
            {_FROM} JOIN specspan.finding AS f ON f.decision_id = d.id
            WHERE f.outcome IN ('violated', 'unassessed') AND f.time_unix_nano >= %s GROUP BY 1, 2, 3""",
        (since,),
    )
    by_reference = rows(
        f"""SELECT name, o.outcome, o.reason, sum(calls * o.findings)::bigint, sum(calls)::bigint
            FROM (SELECT {key} AS name, d.outcomes_id, count(*) AS calls {_FROM}
                    WHERE d.time_unix_nano >= %s AND d.outcomes_id IS NOT NULL GROUP BY 1, 2) AS n
                JOIN specspan.outcome_finding AS o USING (outcomes_id)
            WHERE o.outcome = 'unassessed' GROUP BY 1, 2, 3""",
        (since,),
    )
    overheads = rows(
        f"""SELECT {key}, percentile_disc(0.5) WITHIN GROUP (ORDER BY d.overhead_ns),
                percentile_disc(0.99) WITHIN GROUP (ORDER BY d.overhead_ns)
            {_FROM} WHERE d.time_unix_nano >= %s AND d.overhead_ns IS NOT NULL GROUP BY 1""",
        (since,),
    )
    return group_decisions(decisions, [*in_full, *by_reference], overheads)


def _by_clause(rows: Rows, since: int) -> list[Statistics]:
    hour = since // HOUR_NS
    counted = rows(
        """SELECT clause, outcome, sum(count)::bigint FROM specspan.clause_count WHERE hour >= %s GROUP BY 1, 2""",
        (hour,),
    )
    reasons = rows(
        """SELECT clause, reason, sum(findings)::bigint FROM (
                SELECT o.clause, o.reason, c.decisions * o.findings AS findings
                FROM specspan.decision_count AS c JOIN specspan.outcome_finding AS o USING (outcomes_id)
                WHERE o.outcome = 'unassessed' AND c.hour >= %s
                UNION ALL
                SELECT clause, reason, 1 FROM specspan.finding WHERE outcome = 'unassessed' AND time_unix_nano >= %s
            ) AS found GROUP BY 1, 2""",
        (hour, hour * HOUR_NS),
    )
    usages = rows(
        """SELECT f.clause, d.provider, d.model, sum(d.input_tokens)::bigint, sum(d.output_tokens)::bigint,
                sum(d.cache_read_input_tokens)::bigint
            FROM (SELECT DISTINCT clause, decision_id FROM specspan.finding
                    WHERE outcome = 'violated' AND time_unix_nano >= %s) AS f
                JOIN specspan.decision AS d ON d.id = f.decision_id GROUP BY 1, 2, 3""",
        (hour * HOUR_NS,),
    )
    return group_clauses(counted, reasons, usages)
