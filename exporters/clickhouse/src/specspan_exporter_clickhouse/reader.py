"""Reader of the database: lists by filter, one trace, one decision."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from types import TracebackType
from typing import Any, TypeVar, final

from specspan.sqlite.call_groups import CallGroup, group_decisions
from specspan.sqlite.clause_calls import CallRow, ClauseCall, Lookups, read_calls
from specspan.sqlite.expansion import expand, policy_record_of
from specspan.sqlite.late_rows import with_late_findings
from specspan.sqlite.model import (
    EVERYTHING,
    PRUNING,
    ClauseCount,
    DecisionHour,
    Filter,
    JudgeUsage,
    Statistics,
    StoredSpan,
    TraceSummary,
)
from specspan_exporter_clickhouse import figures, query
from specspan_exporter_clickhouse.address import parse_address
from specspan_exporter_clickhouse.connection import Connection
from specspan_exporter_clickhouse.errors import ClickHouseStoreError
from specspan_exporter_clickhouse.schema import require_tables
from specspan_exporter_clickhouse.spans import COLUMNS, read_resource, read_span
from specspan_exporter_clickhouse.statistics import count
from specspan_exporter_clickhouse.traces import summarize

Record = Mapping[str, Any]
T = TypeVar("T")

_SHORT_ID_LENGTH = 8
_AT_ONCE = 500
_FROM = "FROM specspan_decision AS d FINAL"
_NEWEST = "ORDER BY d.time_unix_nano DESC, d.id DESC LIMIT 1 BY d.id"
_EARLIEST = "ORDER BY d.time_unix_nano, d.id"
_RULING = ("verdict", "action", "governing_clause", "reason")
_SHARED = """concat('{', arrayStringConcat(arrayMap(n -> concat('"', n, '":', JSONExtractRaw(record, n)),
    arrayFilter(n -> JSONHas(record, n), ['v', 'type', 'service', 'spec', 'policy', 'mode'])), ','), '}')"""
_CALLS = f"""SELECT d.id, d.time_unix_nano, d.trace_id, d.span_id, if(d.policy_record = '', d.record, ''),
        d.shared, d.policy_record, d.outcomes, d.model, f.found
    FROM (SELECT *, {_SHARED} AS shared {_FROM}
        WHERE time_unix_nano >= {{since:Int64}} AND time_unix_nano < {{until:Int64}}) AS d
    LEFT ANY JOIN (SELECT decision_id, arrayStringConcat(groupArray(outcome), ',') AS found
        FROM specspan_finding_now WHERE clause = {{clause:String}} GROUP BY decision_id) AS f ON f.decision_id = d.id
    {_EARLIEST}"""


@final
class Reader:
    """Context manager of one database that is open for reading. Each question is answered as of its own moment."""

    def __init__(self, url: str | os.PathLike[str] | None = None) -> None:
        """Open the database that a URL names, by default ``SPECSPAN_DB``.

        Raises:
            ConfigurationError: the URL is missing or cannot be read.
            ClickHouseStoreError: the database cannot be reached, or has no tables of ours.
        """
        self._policies: dict[str, Record | None] = {}
        self._connection = Connection(parse_address(url))
        try:
            require_tables(self._connection)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """URL of the database without its password, for messages."""
        return self._connection.name

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection for good."""
        self._connection.close()

    def traces(self, wanted: Filter = EVERYTHING) -> list[TraceSummary]:
        """Return traces, the one that began last first."""
        condition, values = query.where(query.traces(wanted))
        found = self._rows(
            f"""SELECT trace_id FROM (SELECT trace_id, min(s.start_unix_nano) AS start_unix_nano,
                    groupUniqArray(service) AS services FROM specspan_span AS s GROUP BY trace_id)
                {condition} ORDER BY start_unix_nano DESC, trace_id DESC {query.limit(wanted)}""",
            values,
        )
        return summarize(self._rows, self._short("specspan_span", "trace_id", [str(row[0]) for row in found]))

    def trace_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of traces that begin with ``prefix``."""
        return self._ids("specspan_span", "trace_id", prefix, limit)

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """Return every span of a trace, the earliest first."""
        rows = self._rows(
            f"""SELECT {COLUMNS} FROM specspan_span WHERE trace_id = {{trace:String}}
                ORDER BY start_unix_nano, end_unix_nano DESC, span_id LIMIT 1 BY span_id""",
            {"trace": trace_id},
        )
        return [self._parsed(read_span, row) for row in rows]

    def decisions(self, wanted: Filter = EVERYTHING) -> list[Record]:
        """Return decision records, the latest first, with every finding in full."""
        condition, values = query.where(query.decisions(wanted))
        return self._decisions(f"{condition} {_NEWEST} {query.limit(wanted)}", values)

    def iter_decisions(self, since_unix_nano: int | None = None) -> Iterator[Record]:
        """Yield every decision record since a time, the earliest first, read some hundred at a time."""
        rows = self._connection.stream(
            f"SELECT d.record {_FROM} WHERE d.time_unix_nano >= {{since:Int64}} {_EARLIEST}",
            {"since": since_unix_nano or 0},
        )
        while texts := [str(text) for (text,) in islice(rows, _AT_ONCE)]:
            yield from self._records(texts)

    def decision_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of decisions that begin with ``prefix``."""
        return self._ids("specspan_decision", "id", prefix, limit)

    def decision(self, decision_id: str) -> Record:
        """Return the decision record of an id.

        Raises:
            KeyError: the id is unknown.
        """
        found = self._decisions(f"WHERE d.id = {{id:String}} {_NEWEST}", {"id": decision_id})
        if not found:
            raise KeyError(decision_id)
        return found[0]

    def decisions_of(self, trace_id: str) -> list[Record]:
        """Return the decision records of a trace, the earliest first."""
        return self._decisions(f"WHERE d.trace_id = {{trace:String}} {_EARLIEST}", {"trace": trace_id})

    def statistics(self, by: str | None = None, since_unix_nano: int | None = None) -> list[Statistics]:
        """Return counts of decisions: one group, or a group for each value of one of `GROUPS`."""
        return count(self._rows, by, since_unix_nano or 0)

    def clause_calls(
        self, clause: str, since_unix_nano: int | None = None, until_unix_nano: int | None = None
    ) -> Iterator[ClauseCall]:
        """Yield the calls that a clause has an outcome for, from a time up to another, the earliest first."""
        until = 2**63 - 1 if until_unix_nano is None else until_unix_nano
        values = {"clause": clause, "since": since_unix_nano or 0, "until": until}
        resources = self._resources(values)
        shared = _Numbers()
        rows = (_call(row, shared, resources) for row in self._connection.stream(_CALLS, values))
        lookups = Lookups(
            lambda key: self._json(shared.text(key)),
            lambda key: self._policy_of(str(key)),
            partial(self._parsed, read_resource),
        )
        yield from read_calls(rows, clause, lookups)

    def call_groups(self, since_unix_nano: int, until_unix_nano: int) -> Iterator[CallGroup]:
        """Yield groups of calls that were decided alike, from a time up to another, with the number of each."""
        decisions = self.iter_decisions(since_unix_nano)
        yield from group_decisions(each for each in decisions if each["time_unix_nano"] < until_unix_nano)

    def _resources(self, values: Mapping[str, Any]) -> dict[tuple[str, str], str]:
        """Return the resource of the span of each decision in a time, as JSON."""
        texts: dict[str, str] = {}
        found = self._connection.stream(
            f"""SELECT s.trace_id, s.span_id, any(s.resource) FROM specspan_span AS s WHERE (s.trace_id, s.span_id) IN (
                SELECT d.trace_id, d.span_id {_FROM} WHERE d.trace_id != '' AND d.time_unix_nano >= {{since:Int64}}
                    AND d.time_unix_nano < {{until:Int64}}) GROUP BY s.trace_id, s.span_id""",
            values,
        )
        return {(trace, span): texts.setdefault(text, text) for trace, span, text in found}

    def clauses(self) -> list[str]:
        """Return the id of each clause that a decision or a policy in the database names, sorted."""
        return self._names(
            """SELECT DISTINCT clause FROM specspan_finding UNION DISTINCT
                SELECT DISTINCT arrayJoin(clauses) FROM specspan_policy"""
        )

    def services(self) -> list[str]:
        """Return the name of each service that a span or a decision in the database is of, sorted."""
        return self._names(
            """SELECT DISTINCT CAST(service, 'Nullable(String)') FROM specspan_span UNION DISTINCT
                SELECT DISTINCT CAST(service, 'Nullable(String)') FROM specspan_decision"""
        )

    def policies(self, digests: Iterable[str]) -> list[Record]:
        """Return the policy records of policy digests, the latest first; they name the clauses that were considered."""
        rows = self._rows(
            """SELECT record, time_unix_nano AS time FROM specspan_policy_first_version FINAL
                WHERE digest IN {named:Array(String)}
                UNION ALL SELECT p.record, a.time FROM (SELECT * FROM specspan_policy FINAL) AS p
                    LEFT JOIN (SELECT policy_record, max(time_unix_nano) AS time FROM specspan_policy_activation
                        GROUP BY policy_record) AS a ON a.policy_record = p.id
                    WHERE p.digest IN {named:Array(String)}
                ORDER BY time DESC""",
            {"named": sorted(set(digests))},
        )
        return [self._json(row[0]) for row in rows]

    def other_records(self, type_: str, since_unix_nano: int | None = None) -> list[Record]:
        """Return the records of a type without a table of its own, since a time, the latest first."""
        rows = self._rows(
            """SELECT record FROM specspan_other_record FINAL
                WHERE type = {type:String} AND time_unix_nano >= {since:Int64} ORDER BY time_unix_nano DESC""",
            {"type": type_, "since": since_unix_nano or 0},
        )
        return [self._json(row[0]) for row in rows]

    def prunings(self) -> list[Record]:
        """Return the record of each removal of old decisions and spans, the latest first."""
        return self.other_records(PRUNING)

    def decision_hours(self, since_unix_nano: int = 0) -> list[DecisionHour]:
        """Return counts of decisions from the hour of a time on, the earliest first."""
        return figures.decision_hours(self._rows, since_unix_nano)

    def clause_counts(self, since_unix_nano: int = 0, outcome: str | None = None) -> list[ClauseCount]:
        """Return counts of findings by clause and outcome, from the hour of a time on, in the order of clauses."""
        return figures.clause_counts(self._rows, since_unix_nano, outcome)

    def policy_activations(self) -> list[Record]:
        """Return the policy record of each moment at which one came into force, the earliest first."""
        return [
            {**self._json(record), "time_unix_nano": when, "service": None if service is None else self._json(service)}
            for when, service, record in figures.activations(self._rows)
        ]

    def judge_usage(self, since_unix_nano: int = 0) -> list[JudgeUsage]:
        """Return what judges' own calls took since a time, by model."""
        return figures.judge_usage(self._rows, since_unix_nano)

    def models(self) -> list[str]:
        """Return the name of each model that a decision is of, sorted."""
        return figures.models(self._rows)

    def short_trace_id(self, trace_id: str) -> str:
        """Return the shortest prefix of an id that no other trace shares."""
        return self._short("specspan_span", "trace_id", [trace_id])[trace_id]

    def short_decision_id(self, decision_id: str) -> str:
        """Return the shortest prefix of an id that no other decision shares."""
        return self._short("specspan_decision", "id", [decision_id])[decision_id]

    def _decisions(self, condition: str, values: Mapping[str, Any]) -> list[Record]:
        rows = self._rows(f"SELECT d.record {_FROM} {condition}", values)
        return list(self._records([str(text) for (text,) in rows]))

    def _records(self, texts: Sequence[str]) -> list[Record]:
        """Return the records of texts, with every finding in full and the findings that came after them."""
        found = [self._json(text) for text in texts]
        late: dict[str, list[tuple[Record, int, bool]]] = {}
        rows = self._rows(
            """SELECT decision_id, record, arrived, is_amending FROM specspan_late_now
                WHERE decision_id IN {ids:Array(String)} ORDER BY time_unix_nano, ordinal""",
            {"ids": [str(record["id"]) for record in found]},
        )
        for decision_id, text, arrived, is_amending in rows:
            late.setdefault(decision_id, []).append((self._json(text), arrived, bool(is_amending)))
        return [self._with_late(record, late.get(str(record["id"]), [])) for record in found]

    def _with_late(self, record: Record, late: Sequence[tuple[Record, int, bool]]) -> Record:
        expanded = expand(record, self._policy_of(policy_record_of(record)))
        amending = [(arrived, each) for each, arrived, is_amending in late if is_amending]
        if amending:
            after = max(amending, key=lambda pair: pair[0])[1]["amended"]["after"]
            expanded.update({name: after.get(name) for name in _RULING})
        if not late and "pending" not in expanded:
            return expanded
        return with_late_findings(expanded, [each for each, _, _ in late], time.time_ns())

    def _policy_of(self, name: str | None) -> Record | None:
        """Return the policy record of an id, which many decisions share; None where it is missing."""
        if name is None:
            return None
        if self._policies.get(name) is None:
            found = self._rows("SELECT record FROM specspan_policy FINAL WHERE id = {id:String}", {"id": name})
            self._policies[name] = self._json(found[0][0]) if found else None
        return self._policies[name]

    def _names(self, sql: str) -> list[str]:
        return sorted(str(name) for (name,) in self._rows(sql) if name)

    def _ids(self, table: str, column: str, prefix: str, limit: int) -> list[str]:
        rows = self._rows(
            f"""SELECT DISTINCT {column} FROM {table} WHERE startsWith({column}, {{prefix:String}})
                ORDER BY {column} LIMIT {int(limit)}""",
            {"prefix": prefix},
        )
        return [str(row[0]) for row in rows]

    def _short(self, table: str, column: str, ids: Sequence[str]) -> dict[str, str]:
        """Return the shortest prefix of each id that no other id of a column shares, by id."""
        rows = self._rows(
            f"""SELECT w.1, maxIf(c.{column}, c.{column} != w.1 AND c.{column} < w.1),
                    minIf(c.{column}, c.{column} > w.1)
                FROM (SELECT arrayJoin({{ids:Array(String)}}) AS whole, tuple(whole, substring(whole, 1, 8)) AS w) AS a
                    LEFT JOIN (SELECT DISTINCT {column}, substring({column}, 1, 8) AS start FROM {table}
                        WHERE start IN (SELECT substring(arrayJoin({{ids:Array(String)}}), 1, 8))) AS c
                    ON c.start = w.2
                GROUP BY w.1""",
            {"ids": list(ids)},
        )
        lengths = {whole: max(_shared_length(whole, str(other)) for other in others) for whole, *others in rows}
        return {whole: whole[: max(_SHORT_ID_LENGTH, lengths.get(whole, 0) + 1)] for whole in ids}

    def _json(self, text: str | None) -> Any:
        value = self._parsed(json.loads, text or "{}")
        if isinstance(value, dict):
            return value
        raise ClickHouseStoreError(self.name, "holds an invalid JSON record", _CHANGED)

    def _parsed(self, parse: Callable[[Any], T], value: Any) -> T:
        try:
            return parse(value)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ClickHouseStoreError(self.name, "holds an invalid JSON record", _CHANGED) from error

    def _rows(self, sql: str, values: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.rows(sql, values)


_CHANGED = "It was changed from outside; restore it from a copy."


def _shared_length(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _call(row: tuple[Any, ...], shared: _Numbers, resources: Mapping[tuple[str, str], str]) -> CallRow:
    """Return a row of `_CALLS` as the rows of other stores are; in ClickHouse no text is an empty one."""
    decision_id, when, trace_id, span_id, whole, common, policy, outcomes, model, in_full = row
    return CallRow(
        decision_id=decision_id,
        time_unix_nano=when,
        trace_id=trace_id or None,
        span_id=span_id or None,
        whole=whole or None,
        shared_key=shared.of(common) if policy else None,
        policy_key=policy or None,
        outcomes=outcomes or None,
        model=model,
        in_full=in_full or None,
        resource_key=resources.get((trace_id, span_id)),
    )


class _Numbers:
    """Numbers for texts that many rows have alike."""

    def __init__(self) -> None:
        self._number_of: dict[str, int] = {}
        self._texts: list[str] = []

    def of(self, text: str) -> int:
        if text not in self._number_of:
            self._number_of[text] = len(self._texts)
            self._texts.append(text)
        return self._number_of[text]

    def text(self, number: int) -> str:
        return self._texts[number]
