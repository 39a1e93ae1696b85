"""Reader of the database, also while others write it: lists by filter, one trace, one decision."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, final

import psycopg

from specspan.sqlite.call_groups import CLAUSE_END, FINDING_END, CallGroup, GroupRow, read_groups
from specspan.sqlite.clause_calls import CallRow, ClauseCall, Lookups, read_calls
from specspan.sqlite.decision_rows import stored_record
from specspan.sqlite.expansion import expand
from specspan.sqlite.late_rows import with_late_findings
from specspan.sqlite.model import (
    EVERYTHING,
    PRUNING,
    VERDICTS,
    ClauseCount,
    DecisionHour,
    Filter,
    JudgeUsage,
    Statistics,
    StoredSpan,
    TraceSummary,
)
from specspan_exporter_postgres import figures, query
from specspan_exporter_postgres.address import parse_address
from specspan_exporter_postgres.errors import EmptyDatabase, PostgresStoreError, translate_error
from specspan_exporter_postgres.schema import find_version
from specspan_exporter_postgres.statistics import count
from specspan_exporter_postgres.writer import open_connection

if TYPE_CHECKING:
    from typing_extensions import LiteralString

Record = Mapping[str, Any]
T = TypeVar("T")

_SHORT_ID_LENGTH = 8
_SPAN_COLUMNS = """p.trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano, status,
    status_message, p.service, s.attributes, p.attributes, verdict, action, decision_id, events, links, s.scope,
    r.attributes"""
_FROM_DECISION = "FROM specspan.decision AS d LEFT JOIN specspan.decision_shared AS s ON s.id = d.shared_id"
_DECISION_COLUMNS = """s.policy_record, d.record, o.outcomes, s.record, d.time_unix_nano, d.id, d.trace_id, d.span_id,
    d.verdict, d.action, d.would, d.governing_clause, d.reason"""
_WITH_OUTCOMES = f"{_FROM_DECISION} LEFT JOIN specspan.decision_outcomes AS o ON o.id = d.outcomes_id"
_CLAUSE_CALLS = f"""SELECT d.id, d.time_unix_nano, d.trace_id, d.span_id,
        CASE WHEN d.shared_id IS NULL THEN d.record END, d.shared_id, s.policy_record, o.outcomes, d.model,
        (SELECT string_agg(f.outcome, ',') FROM specspan.finding AS f WHERE f.decision_id = d.id AND f.clause = %s),
        h.resource_id
    {_WITH_OUTCOMES} LEFT JOIN specspan.span AS p ON p.trace_id = d.trace_id AND p.span_id = d.span_id
        LEFT JOIN specspan.span_shared AS h ON h.id = p.shared_id
    WHERE d.time_unix_nano >= %s AND d.time_unix_nano < %s ORDER BY d.time_unix_nano, d.id"""
_CALL_GROUPS = f"""SELECT whole, shared_id, policy_record, verdict, outcomes, found, overrides, count(*) FROM (
    SELECT CASE WHEN d.shared_id IS NULL THEN d.record END AS whole, d.shared_id, s.policy_record, d.verdict,
        o.outcomes,
        (SELECT string_agg(f.clause || chr({ord(CLAUSE_END)}) || f.outcome || chr({ord(CLAUSE_END)})
                || coalesce(f.reason, ''), chr({ord(FINDING_END)}) ORDER BY f.ordinal)
            FROM specspan.finding AS f WHERE f.decision_id = d.id) AS found,
        (d.record::json -> 'overrides')::text AS overrides
    {_WITH_OUTCOMES} WHERE d.time_unix_nano >= %s AND d.time_unix_nano < %s) AS calls
    GROUP BY 1, 2, 3, 4, 5, 6, 7"""
_OWN_ATTRIBUTES = ("specspan.decision.verdict", "specspan.decision.action", "specspan.decision.id")
_ROWS_AT_ONCE = 500


@final
class Reader:
    """Context manager of one database that is open for reading."""

    def __init__(self, url: str | os.PathLike[str] | None = None) -> None:
        """Open the database that a URL names, by default ``SPECSPAN_DB``.

        Raises:
            ConfigurationError: the URL is missing or cannot be read.
            PostgresStoreError: the database cannot be reached, or nothing was ever recorded in it.
        """
        address = parse_address(url)
        self._policies: dict[str, Record | None] = {}
        self._name = address.name
        self._connection = open_connection(address)
        try:
            with self._translated_errors():
                if find_version(self._connection, address.name) == 0:
                    raise EmptyDatabase(address.name, "nothing was ever recorded in it", "")
                self._connection.read_only = True
                self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        except BaseException:
            self.close()
            raise

    @classmethod
    def on(cls, connection: psycopg.Connection, name: str) -> Reader:
        """Return a reader on a writer's connection, of what its transaction has written; it is not to be closed."""
        reader = cls.__new__(cls)
        reader._policies, reader._name, reader._connection = {}, name, connection
        return reader

    @property
    def name(self) -> str:
        """URL of the database without its password, for messages."""
        return self._name

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
        with self._snapshot():
            found = self._rows(
                f"""SELECT trace_id FROM specspan.span {condition}
                    ORDER BY start_unix_nano DESC, trace_id DESC LIMIT %s""",
                (*values, query.limit(wanted)),
            )
            return [self._summary(trace_id) for (trace_id,) in found]

    def trace_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of traces that begin with ``prefix``."""
        return self._ids("span", "trace_id", prefix, limit)

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """Return every span of a trace, the earliest first."""
        rows = self._rows(
            f"""SELECT {_SPAN_COLUMNS} FROM specspan.span AS p JOIN specspan.span_shared AS s ON s.id = p.shared_id
                LEFT JOIN specspan.resource AS r ON r.id = s.resource_id
                WHERE p.trace_id = %s ORDER BY start_unix_nano, arrival""",
            (trace_id,),
        )
        return [self._span(row) for row in rows]

    def decisions(self, wanted: Filter = EVERYTHING) -> list[Record]:
        """Return decision records, the latest first, with every finding in full."""
        condition, values = query.where(query.decisions(wanted))
        return self._decisions(
            f"{condition} ORDER BY d.time_unix_nano DESC, d.id DESC LIMIT %s", (*values, query.limit(wanted))
        )

    def iter_decisions(self, since_unix_nano: int | None = None) -> Iterator[Record]:
        """Yield every decision record since a time, the earliest first, read some hundred at a time."""
        statement = f"SELECT {_DECISION_COLUMNS} {_WITH_OUTCOMES} WHERE d.time_unix_nano >= %s ORDER BY 5, 6"
        with self._snapshot(), self._connection.cursor(name="specspan_decisions") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            with self._translated_errors():
                cursor.execute(statement, (since_unix_nano or 0,))
            while True:
                with self._translated_errors():
                    rows = cursor.fetchmany(_ROWS_AT_ONCE)
                if not rows:
                    return
                yield from self._records(rows)

    def decision_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of decisions that begin with ``prefix``."""
        return self._ids("decision", "id", prefix, limit)

    def decision(self, decision_id: str) -> Record:
        """Return the decision record of an id.

        Raises:
            KeyError: the id is unknown.
        """
        found = self._decisions("WHERE d.id = %s", (decision_id,))
        if not found:
            raise KeyError(decision_id)
        return found[0]

    def decisions_of(self, trace_id: str) -> list[Record]:
        """Return the decision records of a trace, the earliest first."""
        return self._decisions("WHERE d.trace_id = %s ORDER BY d.time_unix_nano, d.id", (trace_id,))

    def statistics(self, by: str | None = None, since_unix_nano: int | None = None) -> list[Statistics]:
        """Return counts of decisions: one group, or a group for each value of one of `GROUPS`."""
        with self._snapshot():
            return count(self._rows, by, since_unix_nano or 0)

    def clause_calls(
        self, clause: str, since_unix_nano: int | None = None, until_unix_nano: int | None = None
    ) -> Iterator[ClauseCall]:
        """Yield the calls that a clause has an outcome for, from a time up to another, the earliest first."""
        until = 2**63 - 1 if until_unix_nano is None else until_unix_nano
        rows = self._many_rows(_CLAUSE_CALLS, (clause, since_unix_nano or 0, until))
        yield from read_calls((CallRow(*row) for row in rows), clause, self._lookups)

    def call_groups(self, since_unix_nano: int, until_unix_nano: int) -> Iterator[CallGroup]:
        """Yield groups of calls that were decided alike, from a time up to another, with the number of each."""
        rows = self._many_rows(_CALL_GROUPS, (since_unix_nano, until_unix_nano))
        yield from read_groups((GroupRow(*row) for row in rows), self._lookups)

    @property
    def _lookups(self) -> Lookups:
        return Lookups(self._shared_part, lambda key: self._policy_of(str(key)), self._resource)

    def _many_rows(self, sql: LiteralString, values: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        with self._snapshot(), self._connection.cursor(name="specspan_rows") as cursor:
            cursor.itersize = _ROWS_AT_ONCE
            with self._translated_errors():
                cursor.execute(sql, values)
            while True:
                with self._translated_errors():
                    rows = cursor.fetchmany(_ROWS_AT_ONCE)
                if not rows:
                    return
                yield from rows

    def _shared_part(self, key: int) -> Record:
        rows = self._rows("SELECT record FROM specspan.decision_shared WHERE id = %s", (key,))
        return self._json(rows[0][0]) if rows else {}

    def _resource(self, key: str) -> Record:
        rows = self._rows("SELECT attributes FROM specspan.resource WHERE id = %s", (key,))
        return self._json(rows[0][0]) if rows else {}

    def clauses(self) -> list[str]:
        """Return the id of each clause that a decision or a policy in the database names, sorted."""
        return self._names("SELECT clause FROM specspan.finding UNION SELECT unnest(clauses) FROM specspan.policy")

    def services(self) -> list[str]:
        """Return the name of each service that a span or a decision in the database is of, sorted."""
        return self._names(
            """SELECT service FROM specspan.resource UNION SELECT service FROM specspan.decision_shared UNION
               SELECT service FROM specspan.decision WHERE service IS NOT NULL"""
        )

    def policies(self, digests: Iterable[str]) -> list[Record]:
        """Return the policy records of policy digests, the latest first; they name the clauses that were considered."""
        rows = self._rows(
            """SELECT record, time_unix_nano AS time FROM specspan.policy_first_version WHERE digest = ANY(%(named)s)
               UNION ALL SELECT record, (SELECT max(time_unix_nano) FROM specspan.policy_activation
                    WHERE policy_record = p.id) FROM specspan.policy AS p WHERE digest = ANY(%(named)s)
               ORDER BY time DESC""",
            {"named": sorted(set(digests))},
        )
        return [self._json(row[0]) for row in rows]

    def other_records(self, type_: str, since_unix_nano: int | None = None) -> list[Record]:
        """Return the records of a type without a table of its own, since a time, the latest first."""
        rows = self._rows(
            """SELECT record FROM specspan.other_record WHERE type = %s AND time_unix_nano >= %s
               ORDER BY time_unix_nano DESC""",
            (type_, since_unix_nano or 0),
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

    def examine(self, look: Callable[[psycopg.Connection], T]) -> T:
        """Return what a function finds in the database as it is at one moment."""
        with self._snapshot():
            return look(self._connection)

    def short_trace_id(self, trace_id: str) -> str:
        """Return the shortest prefix of an id that no other trace shares."""
        return self._short("span", "trace_id", trace_id)

    def short_decision_id(self, decision_id: str) -> str:
        """Return the shortest prefix of an id that no other decision shares."""
        return self._short("decision", "id", decision_id)

    def _summary(self, trace_id: str) -> TraceSummary:
        spans = self._rows(
            """SELECT span_id, parent_span_id, name, service, start_unix_nano, end_unix_nano FROM specspan.span
               WHERE trace_id = %s ORDER BY start_unix_nano, arrival""",
            (trace_id,),
        )
        # From both, for spans may have been sampled away, and decisions may never have been exported here.
        verdicts = self._rows(
            """SELECT verdict FROM specspan.decision WHERE trace_id = %(trace)s
               UNION SELECT verdict FROM specspan.span WHERE trace_id = %(trace)s""",
            {"trace": trace_id},
        )
        violated = self._rows(
            """SELECT clause FROM specspan.finding JOIN specspan.decision AS d ON d.id = decision_id
                 WHERE trace_id = %(trace)s AND outcome = 'violated'
               UNION SELECT unnest(violated) FROM specspan.span WHERE trace_id = %(trace)s""",
            {"trace": trace_id},
        )
        present = {row[0] for row in spans}
        root = next((row for row in spans if row[1] not in present), spans[0])
        found = {row[0] for row in verdicts}
        return TraceSummary(
            trace_id=trace_id,
            short_id=self.short_trace_id(trace_id),
            name=root[2],
            service=root[3],
            start_unix_nano=spans[0][4],
            end_unix_nano=max(row[5] for row in spans),
            spans=len(spans),
            verdict=next((verdict for verdict in VERDICTS if verdict in found), None),
            violated=tuple(sorted(row[0] for row in violated)),
        )

    def _span(self, row: tuple[Any, ...]) -> StoredSpan:
        shared, own, *columns = row[10:15]
        named = {name: text for name, text in zip(_OWN_ATTRIBUTES, columns, strict=True) if text is not None}
        attributes = {**self._json(shared), **self._json(own), **named}
        listed = self._json(row[15], list), self._json(row[16], list)
        facts = (*row[:10], attributes, *listed, self._json(row[17]), self._json(row[18]))
        return StoredSpan(*facts)

    def _decisions(self, condition: str, values: tuple[Any, ...]) -> list[Record]:
        return self._records(self._rows(f"SELECT {_DECISION_COLUMNS} {_WITH_OUTCOMES} {condition}", values))

    def _records(self, rows: Sequence[tuple[Any, ...]]) -> list[Record]:
        """Return the records of rows, with the findings that came after them."""
        records = [self._record(row) for row in rows]
        waiting = [record["id"] for record in records if isinstance(record.get("pending"), Mapping)]
        if not waiting:
            return list(records)
        late: dict[str, list[Record]] = {decision_id: [] for decision_id in waiting}
        for decision_id, text in self._rows(
            """SELECT decision_id, record FROM specspan.late_finding WHERE decision_id = ANY(%s)
               ORDER BY time_unix_nano, ordinal""",
            (waiting,),
        ):
            late[decision_id].append(self._json(text))
        now_ns = time.time_ns()
        return [
            with_late_findings(record, late[record["id"]], now_ns) if record["id"] in late else record
            for record in records
        ]

    def _record(self, row: tuple[Any, ...]) -> dict[str, Any]:
        parts = (None if text is None else self._json(text) for text in row[1:4])
        return expand(stored_record((*parts, *row[4:])), self._policy_of(row[0]))

    def _policy_of(self, name: str | None) -> Record | None:
        """Return the policy record of an id, which many decisions share; None where it is missing."""
        if name is None:
            return None
        if self._policies.get(name) is None:
            found = self._rows("SELECT record FROM specspan.policy WHERE id = %s", (name,))
            self._policies[name] = self._json(found[0][0]) if found else None
        return self._policies[name]

    def _names(self, sql: str) -> list[str]:
        return sorted(str(name) for (name,) in self._rows(sql, ()) if name)

    def _ids(self, table: str, column: str, prefix: str, limit: int) -> list[str]:
        start = prefix.replace("\0", "\ufffd")
        rows = self._rows(
            f"""SELECT DISTINCT {column} FROM specspan.{table} WHERE {column} >= %s AND {column} < %s
                ORDER BY 1 LIMIT %s""",
            (start, start + "~", limit),
        )
        return [str(row[0]) for row in rows]

    def _short(self, table: str, column: str, whole: str) -> str:
        neighbours = self._rows(
            f"""SELECT max({column}) FROM specspan.{table} WHERE {column} < %(whole)s
                UNION ALL SELECT min({column}) FROM specspan.{table} WHERE {column} > %(whole)s""",
            {"whole": whole},
        )
        shared = max(_shared_length(whole, other or "") for (other,) in neighbours)
        return whole[: max(_SHORT_ID_LENGTH, shared + 1)]

    def _json(self, text: str | None, kind: type = dict) -> Any:
        error: Exception | None = None
        try:
            if isinstance(value := json.loads(text or "{}"), kind):
                return value
        except (ValueError, TypeError, RecursionError) as invalid:
            error = invalid
        remedy = "It was changed from outside; restore it from a copy."
        raise PostgresStoreError(self.name, "holds an invalid JSON record", remedy) from error

    def _rows(self, sql: str, values: tuple[Any, ...] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._translated_errors():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Have all statements of a block read the database as it is at one moment."""
        with self._translated_errors(), self._connection.transaction():
            yield

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise translate_error(self.name, error) from error


def _shared_length(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
