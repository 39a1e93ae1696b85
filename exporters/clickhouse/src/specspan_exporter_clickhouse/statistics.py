"""Counts of decisions in groups: the SQL of `Reader.statistics`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from specspan.sqlite.groups import group_clauses, group_decisions, order_groups
from specspan.sqlite.model import Statistics
from specspan_exporter_clickhouse.tables import MINUTE_NS

Rows = Callable[[str, Mapping[str, Any]], list[tuple[Any, ...]]]
"""Function that runs a query with its values."""

HOUR_NS = 60 * MINUTE_NS
_USERS = """LEFT ANY JOIN (SELECT DISTINCT trace_id, span_id, user_id FROM specspan_span
    WHERE user_id IS NOT NULL) AS u ON u.trace_id = d.trace_id AND u.span_id = d.span_id"""
_KEYS = {
    "service": "d.service",
    "model": "d.model",
    "day": "formatDateTime(fromUnixTimestamp64Nano(d.time_unix_nano, 'UTC'), '%Y-%m-%d')",
    "spec_version": "d.spec_version",
    "user": "u.user_id",
}
_VERDICT = "if(a.decision_id != '', a.verdict, d.verdict)"


def count(rows: Rows, by: str | None, since_unix_nano: int) -> list[Statistics]:
    """Return counts of each group, the one with the most calls first; days in their order.

    Args:
        rows: runs a query.
        by: one of `GROUPS`; None for one group of all.
        since_unix_nano: the earliest time. Grouped by clause, its hour counts whole.
    """
    groups = _by_clause(rows, since_unix_nano) if by == "clause" else _by_key(rows, by, since_unix_nano)
    return order_groups(groups, by)


def _by_key(rows: Rows, by: str | None, since: int) -> list[Statistics]:
    key = "CAST(NULL, 'Nullable(String)')" if by is None else _KEYS[by]
    source = f"FROM specspan_decision AS d FINAL {_USERS if by == 'user' else ''}"
    values = {"since": since}
    decisions = rows(
        f"""SELECT {key} AS name, {_VERDICT} AS said, d.provider, d.model, count(), sum(d.not_assessed),
                sum(d.input_tokens), sum(d.output_tokens), sum(d.cache_read_input_tokens)
            {source} LEFT ANY JOIN specspan_amendment AS a ON a.decision_id = d.id
            WHERE d.time_unix_nano >= {{since:Int64}} GROUP BY name, said, d.provider, d.model""",
        values,
    )
    in_full = rows(
        f"""SELECT {key} AS name, f.outcome, f.reason, count(),
                uniqExactIf((f.decision_id, f.clause), (d.policy_record, d.outcomes, f.clause, f.outcome,
                    coalesce(f.reason, '')) NOT IN (SELECT policy_record, outcomes, clause, outcome,
                        coalesce(reason, '') FROM specspan_outcome_finding))
            {source} INNER JOIN (SELECT * FROM specspan_finding_now
                WHERE outcome IN ('violated', 'unassessed') AND time_unix_nano >= {{since:Int64}}) AS f
                ON f.decision_id = d.id
            GROUP BY name, f.outcome, f.reason""",
        values,
    )
    by_reference = rows(
        f"""SELECT n.name, o.outcome, o.reason, sum(n.calls * o.findings), sum(n.calls)
            FROM (SELECT {key} AS name, d.policy_record AS policy_record, d.outcomes AS outcomes, count() AS calls
                    {source} WHERE d.time_unix_nano >= {{since:Int64}} AND d.outcomes != ''
                    GROUP BY name, policy_record, outcomes) AS n
                INNER JOIN specspan_outcome_finding AS o
                    ON o.policy_record = n.policy_record AND o.outcomes = n.outcomes
            WHERE o.outcome = 'unassessed' GROUP BY n.name, o.outcome, o.reason""",
        values,
    )
    # the smallest value that so many do not exceed; just below 0.99, as the function takes the next at a whole number
    overheads = rows(
        f"""SELECT {key} AS name, quantileExactLow(0.5)(assumeNotNull(d.overhead_ns)),
                quantileExact(0.98999999999)(assumeNotNull(d.overhead_ns))
            {source} WHERE d.time_unix_nano >= {{since:Int64}} AND d.overhead_ns IS NOT NULL GROUP BY name""",
        values,
    )
    return group_decisions(decisions, [*in_full, *by_reference], overheads)


def _by_clause(rows: Rows, since: int) -> list[Statistics]:
    hour = since // HOUR_NS
    values = {"minute": hour * 60, "since": hour * HOUR_NS}
    counted = rows(
        """SELECT clause, outcome, sum(count) FROM specspan_clause_minute WHERE minute >= {minute:Int64}
            GROUP BY clause, outcome""",
        values,
    )
    reasons = rows(
        """SELECT clause, reason, sum(n) FROM (
                SELECT o.clause AS clause, o.reason AS reason, c.decisions * o.findings AS n
                FROM specspan_decision_count AS c INNER JOIN specspan_outcome_finding AS o
                    ON o.policy_record = c.policy_record AND o.outcomes = c.outcomes
                WHERE o.outcome = 'unassessed' AND c.minute >= {minute:Int64}
                UNION ALL SELECT clause, reason, toUInt64(1) FROM specspan_finding_now
                WHERE outcome = 'unassessed' AND time_unix_nano >= {since:Int64})
            GROUP BY clause, reason""",
        values,
    )
    usages = rows(
        """SELECT f.clause, d.provider, d.model, sum(d.input_tokens), sum(d.output_tokens),
                sum(d.cache_read_input_tokens)
            FROM specspan_decision AS d FINAL INNER JOIN (SELECT DISTINCT clause, decision_id FROM specspan_finding_now
                    WHERE outcome = 'violated' AND time_unix_nano >= {since:Int64}) AS f ON d.id = f.decision_id
            WHERE d.time_unix_nano >= {since:Int64} GROUP BY f.clause, d.provider, d.model""",
        values,
    )
    return group_clauses(counted, reasons, usages)
