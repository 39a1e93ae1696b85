"""Questions of a console about many decisions at once: counts by hour and clause, activations, judges, models."""

from __future__ import annotations

from specspan.sqlite.model import ClauseCount, DecisionHour, JudgeUsage
from specspan_exporter_clickhouse.statistics import HOUR_NS, Rows

_JUDGE = "name >= 'judge ' AND name < 'judge!'"


def decision_hours(rows: Rows, since_unix_nano: int) -> list[DecisionHour]:
    """Return counts of decisions from the hour of a time on, the earliest first.

    Decisions whose verdict a late finding changed are counted out of the verdict before, and into the one after.
    """
    found = rows(
        """SELECT hour * 3600, service, verdict, sum(decisions) AS made, sum(considered), sum(not_assessed) FROM (
                SELECT intDiv(minute, 60) AS hour, service, coalesce(verdict, '') AS verdict,
                    toInt64(decisions) AS decisions, considered, not_assessed
                FROM specspan_decision_count WHERE minute >= {minute:Int64}
                UNION ALL SELECT intDiv(d.time_unix_nano, {hour_ns:Int64}), d.service,
                    coalesce(if(sign < 0, d.verdict, a.verdict), ''), toInt64(sign), sign * d.considered,
                    sign * coalesce(d.not_assessed, 0)
                FROM specspan_decision AS d FINAL INNER JOIN specspan_amendment AS a ON a.decision_id = d.id
                    ARRAY JOIN [-1, 1] AS sign
                WHERE d.time_unix_nano >= {since:Int64} AND d.id IN (SELECT decision_id FROM specspan_amendment))
            GROUP BY hour, service, verdict HAVING made > 0 ORDER BY hour, service ASC NULLS FIRST, verdict""",
        {
            "minute": since_unix_nano // HOUR_NS * 60,
            "since": since_unix_nano // HOUR_NS * HOUR_NS,
            "hour_ns": HOUR_NS,
        },
    )
    return [DecisionHour(*row) for row in found]


def clause_counts(rows: Rows, since_unix_nano: int, outcome: str | None) -> list[ClauseCount]:
    """Return counts of findings by clause and outcome, from the hour of a time on, in the order of clauses."""
    of_outcome = "" if outcome is None else "AND outcome = {outcome:String}"
    found = rows(
        f"""SELECT clause, outcome, sum(count) FROM specspan_clause_minute
            WHERE minute >= {{minute:Int64}} {of_outcome} GROUP BY clause, outcome ORDER BY clause, outcome""",
        {"minute": since_unix_nano // HOUR_NS * 60, "outcome": outcome or ""},
    )
    return [ClauseCount(*row) for row in found]


def activations(rows: Rows) -> list[tuple[int, str | None, str]]:
    """Return each moment at which a policy came into force: time, service as JSON, record; the earliest first."""
    found = rows(
        """SELECT a.time_unix_nano AS time, CAST(a.service, 'Nullable(String)'), p.record
            FROM (SELECT * FROM specspan_policy_activation FINAL) AS a
                INNER JOIN (SELECT * FROM specspan_policy FINAL) AS p ON p.id = a.policy_record
            UNION ALL SELECT time_unix_nano AS time, NULL, record FROM specspan_policy_first_version FINAL
            ORDER BY time""",
        {},
    )
    return [(int(time), service, str(record)) for time, service, record in found]


def judge_usage(rows: Rows, since_unix_nano: int) -> list[JudgeUsage]:
    """Return what judges' own calls took since a time, by model."""
    found = rows(
        f"""SELECT model, count() AS calls, sum(cost), sum(tokens_in), sum(tokens_out) FROM (
                SELECT JSONExtractString(attributes, 'gen_ai.request.model') AS model,
                    JSONExtract(attributes, 'specspan.judge.cost_usd', 'Nullable(Float64)') AS cost,
                    JSONExtract(attributes, 'gen_ai.usage.input_tokens', 'Nullable(Int64)') AS tokens_in,
                    JSONExtract(attributes, 'gen_ai.usage.output_tokens', 'Nullable(Int64)') AS tokens_out
                FROM specspan_span WHERE {_JUDGE} AND start_unix_nano >= {{since:Int64}}
                ORDER BY trace_id, span_id LIMIT 1 BY trace_id, span_id)
            GROUP BY model ORDER BY calls DESC, model""",
        {"since": since_unix_nano},
    )
    return [JudgeUsage(str(row[0]), row[1], row[2], row[3] or 0, row[4] or 0) for row in found]


def models(rows: Rows) -> list[str]:
    """Return the name of each model that a decision is of, sorted."""
    found = rows("SELECT DISTINCT model FROM specspan_decision WHERE model IS NOT NULL ORDER BY model", {})
    return [str(row[0]) for row in found]
