"""Questions of a console about many decisions at once: counts by hour and clause, activations, judges, records."""

from __future__ import annotations

from typing import Any, Protocol

from .decision_hours import COUNTED, IS_JUDGE, MODEL
from .model import ClauseCount, DecisionHour, JudgeUsage
from .references import HOUR_NS


class FigureReader(Protocol):
    """Part of a reader that answers questions about many decisions at once."""

    def _rows(self, sql: str, values: Any) -> list[tuple[Any, ...]]: ...

    def decision_hours(self, since_unix_nano: int = 0) -> list[DecisionHour]:
        """Return counts of decisions from the hour of a time on, the earliest first."""
        table = "decision_hour" if self._has("decision_hour") else f"({COUNTED})"
        found = self._rows(
            f"""SELECT hour * 3600, nullif(service, ''), verdict, decisions, considered, unassessed FROM {table}
                WHERE hour >= ? AND decisions > 0 ORDER BY hour, service, verdict""",
            (since_unix_nano // HOUR_NS,),
        )
        return [DecisionHour(*row) for row in found]

    def clause_counts(self, since_unix_nano: int = 0, outcome: str | None = None) -> list[ClauseCount]:
        """Return counts of findings by clause and outcome, from the hour of a time on, in the order of clauses."""
        hour = since_unix_nano // HOUR_NS
        of_outcome = "" if outcome is None else "AND outcome = :outcome"
        values = {"hour": hour, "outcome": outcome, "since": hour * HOUR_NS}
        if self._has("clause_hour"):
            counted = f"""SELECT text, outcome, number FROM (SELECT clause_id, outcome, sum(count) AS number
                    FROM clause_hour WHERE hour >= :hour {of_outcome} GROUP BY 1, 2)
                JOIN name ON name.id = clause_id WHERE number > 0 ORDER BY 1, 2"""
        elif self._has("clause_count"):
            counted = f"""SELECT clause, outcome, sum(count) FROM clause_count
                WHERE hour_unix >= 3600 * :hour {of_outcome} GROUP BY 1, 2 HAVING sum(count) > 0 ORDER BY 1, 2"""
        else:
            counted = f"""SELECT clause, outcome, count(*) FROM finding_row
                WHERE time_unix_nano >= :since {of_outcome} GROUP BY 1, 2 ORDER BY 1, 2"""
        return [ClauseCount(*row) for row in self._rows(counted, values)]

    def _activations(self) -> list[tuple[int, str | None, str]]:
        """Return each moment at which a policy came into force: time, service as JSON, record; the earliest first."""
        if not self._has("policy_record"):
            found = self._rows("SELECT time_unix_nano, NULL, record FROM policy_row ORDER BY 1", ())
        else:
            found = self._rows(
                """SELECT a.time_unix_nano, a.service, p.record
                   FROM policy_activation AS a JOIN policy_record AS p ON p.id = a.policy_id WHERE p.record IS NOT NULL
                   UNION ALL SELECT time_unix_nano, NULL, record FROM policy_row ORDER BY 1""",
                (),
            )
        return [(int(time), service, str(record)) for time, service, record in found]

    def judge_usage(self, since_unix_nano: int = 0) -> list[JudgeUsage]:
        """Return what judges' own calls took since a time, by model."""
        model, cost, tokens_in, tokens_out = (
            f"json_extract(attributes, '$.\"{name}\"')"
            for name in (
                "gen_ai.request.model",
                "specspan.judge.cost_usd",
                "gen_ai.usage.input_tokens",
                "gen_ai.usage.output_tokens",
            )
        )
        found = self._rows(
            f"""SELECT {model}, count(*), sum({cost}), sum({tokens_in}), sum({tokens_out})
                FROM (SELECT json_patch(coalesce(s.attributes, '{{}}'), span.attributes) AS attributes
                    FROM span_row AS span LEFT JOIN span_shared AS s ON s.id = span.shared_id
                    WHERE {IS_JUDGE} AND span.start_unix_nano >= ?) GROUP BY 1 ORDER BY 2 DESC, 1""",
            (since_unix_nano,),
        )
        return [JudgeUsage(str(row[0]), row[1], row[2], row[3] or 0, row[4] or 0) for row in found]

    def models(self) -> list[str]:
        """Return the name of each model that a decision is of, sorted."""
        model = MODEL.replace("d.", "")
        found = self._rows(  # from one to the next by the index, and not through all decisions
            f"""WITH RECURSIVE found (model) AS (SELECT min({model}) FROM decision_row
                    UNION ALL SELECT (SELECT min({model}) FROM decision_row WHERE {model} > found.model) FROM found
                    WHERE found.model IS NOT NULL)
                SELECT model FROM found WHERE model IS NOT NULL""",
            (),
        )
        return [str(row[0]) for row in found]

    def _has(self, table: str) -> bool:
        return bool(self._rows("SELECT 1 FROM main.sqlite_master WHERE name = ?", (table,)))
