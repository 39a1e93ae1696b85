"""Questions of a console about many decisions at once: counts by hour and clause, activations, judges, records."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from specspan.sqlite.model import ClauseCount, DecisionHour, JudgeUsage
from specspan_exporter_postgres.schema import HOUR_NS

Rows = Callable[[str, Any], list[tuple[Any, ...]]]
"""Function that runs a statement with its parameters."""

_JUDGE = "span.name >= 'judge ' AND span.name < 'judge!'"


def decision_hours(rows: Rows, since_unix_nano: int) -> list[DecisionHour]:
    """Return counts of decisions from the hour of a time on, the earliest first."""
    found = rows(
        f"""SELECT hour * 3600, service, verdict, count(*), sum(considered)::bigint, sum(unassessed)::bigint
            FROM (SELECT d.time_unix_nano / {HOUR_NS} AS hour, coalesce(s.service, d.service) COLLATE "C" AS service,
                    coalesce(d.verdict, '') COLLATE "C" AS verdict,
                    coalesce(((d.record::json) #>> '{{counts,considered}}')::bigint, 0) AS considered,
                    coalesce(d.not_assessed, 0) AS unassessed
                FROM specspan.decision AS d LEFT JOIN specspan.decision_shared AS s ON s.id = d.shared_id
                WHERE d.time_unix_nano >= %s) AS counted
            GROUP BY 1, 2, 3 ORDER BY 1, 2 NULLS FIRST, 3""",
        (since_unix_nano // HOUR_NS * HOUR_NS,),
    )
    return [DecisionHour(*row) for row in found]


def clause_counts(rows: Rows, since_unix_nano: int, outcome: str | None) -> list[ClauseCount]:
    """Return counts of findings by clause and outcome, from the hour of a time on, in the order of clauses."""
    found = rows(
        """SELECT clause COLLATE "C", outcome COLLATE "C", sum(count)::bigint FROM specspan.clause_count
            WHERE hour >= %(hour)s AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s)
            GROUP BY 1, 2 ORDER BY 1, 2""",
        {"hour": since_unix_nano // HOUR_NS, "outcome": outcome},
    )
    return [ClauseCount(*row) for row in found]


def activations(rows: Rows) -> list[tuple[int, str | None, str]]:
    """Return each moment at which a policy came into force: time, service as JSON, record; the earliest first."""
    found = rows(
        """SELECT a.time_unix_nano, a.service, p.record
            FROM specspan.policy_activation AS a JOIN specspan.policy AS p ON p.id = a.policy_record
            UNION ALL SELECT time_unix_nano, NULL, record FROM specspan.policy_first_version ORDER BY 1""",
        (),
    )
    return [(int(time), service, str(record)) for time, service, record in found]


def judge_usage(rows: Rows, since_unix_nano: int) -> list[JudgeUsage]:
    """Return what judges' own calls took since a time, by model."""
    model, cost, tokens_in, tokens_out = (
        f"coalesce(own->>'{name}', shared->>'{name}')"
        for name in (
            "gen_ai.request.model",
            "specspan.judge.cost_usd",
            "gen_ai.usage.input_tokens",
            "gen_ai.usage.output_tokens",
        )
    )
    found = rows(
        f"""SELECT {model}, count(*), sum(({cost})::float8), sum(({tokens_in})::bigint)::bigint,
                sum(({tokens_out})::bigint)::bigint
            FROM (SELECT span.attributes::json AS own, s.attributes::json AS shared
                FROM specspan.span JOIN specspan.span_shared AS s ON s.id = span.shared_id
                WHERE {_JUDGE} AND span.start_unix_nano >= %s) AS judged GROUP BY 1 ORDER BY 2 DESC, 1""",
        (since_unix_nano,),
    )
    return [JudgeUsage(str(row[0]), row[1], row[2], row[3] or 0, row[4] or 0) for row in found]


def models(rows: Rows) -> list[str]:
    """Return the name of each model that a decision is of, sorted."""
    found = rows(  # from one to the next by the index, and not through all decisions
        """WITH RECURSIVE found AS (
                (SELECT model FROM specspan.decision WHERE model IS NOT NULL ORDER BY model COLLATE "C" LIMIT 1)
                UNION ALL SELECT (SELECT d.model FROM specspan.decision AS d WHERE d.model COLLATE "C" > found.model
                    ORDER BY d.model COLLATE "C" LIMIT 1) FROM found WHERE found.model IS NOT NULL)
            SELECT model FROM found WHERE model IS NOT NULL""",
        (),
    )
    return [str(row[0]) for row in found]
