"""Reader of the file, also while others write it: lists by filter, one trace, one decision."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, final

from . import id_prefixes, query
from .call_groups import CallGroup
from .call_rows import iter_calls, iter_groups
from .clause_calls import ClauseCall
from .decision_hours import MODEL
from .decision_rows import STORED_COLUMNS, stored_record
from .errors import SQLITE_ERRORS, ForeignFile, MissingFile, SQLiteStoreError, translate_error
from .expansion import expand
from .figures import FigureReader
from .first_version import name_as_present
from .late_rows import with_late_findings
from .model import EVERYTHING, PRUNING, Filter, Statistics, StoredSpan, TraceSummary
from .read_only import open_read_only
from .recorded_calls import StoredCall, iter_recorded_calls
from .schema import check
from .statistics import count
from .store import file_path
from .trace_summary import summarize_trace

Record = Mapping[str, Any]
T = TypeVar("T")

_ALL_IN_ONE = 0, 2**63
"""Block of a file without counts."""
_MANY = 5_000
"""Number of rows from which on one of them is soon found among the latest."""
_FEW_BLOCKS = 20
"""Number of blocks up to which all decisions with a finding are looked up."""
_SPAN_COLUMNS = """trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano, status,
    status_message, span.service, span.attributes, events, links, scope, resource.attributes"""
_SPAN_JSON = (dict, list, list, dict, dict)
_FROM_DECISION = "FROM decision_row AS d LEFT JOIN decision_shared AS s ON s.id = d.shared_id"


@final
class Reader(FigureReader):
    """Context manager of one file that is open for reading."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Open the file ``path``, by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder.

        Raises:
            SQLiteStoreError: the file is missing or empty, or another program wrote it.
        """
        self._policies: dict[int, Record | None] = {}
        self.path = file_path(path)
        if not self.path.exists():
            raise MissingFile(self.path, "no such file", _MADE_BY_WRITING)
        if not self.path.is_file():  # SQLite would wait for somebody to write into a pipe
            raise ForeignFile(self.path, "it is a pipe, a device or a folder", "Name another file with SPECSPAN_DB.")
        with self._translated_errors():
            self._connection = open_read_only(self.path)
            version = check(self._connection, self.path)
            if version == 0:
                self.close()
                raise MissingFile(self.path, "nothing was ever recorded in it", _MADE_BY_WRITING)
            self._has_counts = version > 1
            self._has_late = version > 2
            if not self._has_counts:
                name_as_present(self._connection)

    @classmethod
    def on(cls, connection: sqlite3.Connection, path: Path) -> Reader:
        """Return a reader on a writer's connection, of what its transaction has written; it is not to be closed."""
        reader = cls.__new__(cls)
        reader._policies, reader.path, reader._connection = {}, path, connection
        reader._has_counts = reader._has_late = True
        return reader

    @property
    def name(self) -> str:
        """Path of the file, for messages."""
        return str(self.path)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file for good."""
        self._connection.close()

    def traces(self, wanted: Filter = EVERYTHING) -> list[TraceSummary]:
        """Return traces, the one that began last first."""
        with self._snapshot(), self._translated_errors():
            service = wanted.service
            if service is not None and not self._rows("SELECT 1 FROM resource WHERE service = ?", (service,)):
                return []
            is_common = wanted.verdict is not None and self._is_common_verdict(wanted.verdict)
            conditions = list(query.traces(wanted, is_common_verdict=is_common))
            if query.asks_for_findings(wanted):
                conditions.append(self._traces_of_findings(wanted))
            if wanted.model is not None:
                conditions.append(query.traces_of_model(wanted.model, is_common=self._is_common_model(wanted.model)))
            condition, values = query.where(iter(conditions))
            found = self._rows(
                f"""SELECT trace_id FROM span_row AS span {condition}
                    ORDER BY start_unix_nano DESC, trace_id DESC LIMIT ?""",
                (*values, wanted.limit),
            )
            return [summarize_trace(self._rows, trace_id, self.short_trace_id(trace_id)) for (trace_id,) in found]

    def trace_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of traces that begin with ``prefix``."""
        return id_prefixes.starting_with(self._rows, "span_row", "trace_id", prefix, limit)

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """Return every span of a trace, the earliest first."""
        rows = self._rows(
            f"""SELECT {_SPAN_COLUMNS} FROM span LEFT JOIN resource ON resource.id = resource_id
                WHERE trace_id = ? ORDER BY start_unix_nano, arrival""",
            (trace_id,),
        )
        return [StoredSpan(*row[:10], *map(self._json, row[10:], _SPAN_JSON)) for row in rows]

    def decisions(self, wanted: Filter = EVERYTHING) -> list[Record]:
        """Return decision records, the latest first, with every finding in full."""
        if query.is_deviation(wanted.outcome):
            with self._snapshot():
                return [self.decision(decision_id) for decision_id in self._deviating(wanted)]
        if query.asks_for_findings(wanted) and wanted.verdict in (None, *query.COMMON_VERDICTS):
            with self._snapshot():
                return [self.decision(decision_id) for decision_id in self._walk(wanted)]
        condition, values = query.where(self._conditions(wanted))
        return self._decisions(
            f"{condition} ORDER BY d.time_unix_nano DESC, d.id DESC LIMIT ?", (*values, wanted.limit)
        )

    def iter_decisions(self, since_unix_nano: int | None = None) -> Iterator[Record]:
        """Yield every decision record since a time, the earliest first, read one at a time."""
        found = self._rows(
            "SELECT id FROM decision_row WHERE time_unix_nano >= ? ORDER BY time_unix_nano, id", (since_unix_nano or 0,)
        )
        for (decision_id,) in found:
            yield from self._decisions("WHERE d.id = ?", (decision_id,))

    def recorded_calls(self, since_unix_nano: int | None = None) -> Iterator[StoredCall] | None:
        """Return every decision since a time as it is stored, with its call; None for a file of the first version."""
        late = self.decision if self._has_late else None
        calls = iter_recorded_calls(self._connection, self._policy_of, late, since_unix_nano)
        return self._translated(calls) if self._has_counts else None

    def _translated(self, calls: Iterator[T]) -> Iterator[T]:
        try:
            with self._translated_errors():
                yield from calls
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._invalid_record() from error

    def decision_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of decisions that begin with ``prefix``."""
        return id_prefixes.starting_with(self._rows, "decision_row", "id", prefix, limit)

    def decision(self, decision_id: str) -> Record:
        """Return the decision record of an id.

        Raises:
            KeyError: the id is unknown.
        """
        found = self._decisions("WHERE d.id = ?", (decision_id,))
        if not found:
            raise KeyError(decision_id)
        return found[0]

    def decisions_of(self, trace_id: str) -> list[Record]:
        """Return the decision records of a trace, the earliest first."""
        return self._decisions("WHERE d.trace_id = ? ORDER BY d.time_unix_nano, d.id", (trace_id,))

    def statistics(self, by: str | None = None, since_unix_nano: int | None = None) -> list[Statistics]:
        """Return counts of decisions: one group, or a group for each value of one of `statistics.GROUPS`."""
        with self._snapshot():
            return count(self._rows, by, since_unix_nano or 0)

    def clause_calls(
        self, clause: str, since_unix_nano: int | None = None, until_unix_nano: int | None = None
    ) -> Iterator[ClauseCall]:
        """Yield the calls that a clause has an outcome for, from a time up to another, the earliest first."""
        with self._translated_errors():
            yield from iter_calls(self._connection, self._policy_of, clause, since_unix_nano, until_unix_nano)

    def call_groups(self, since_unix_nano: int, until_unix_nano: int) -> Iterator[CallGroup]:
        """Yield groups of calls that were decided alike, from a time up to another, with the number of each."""
        with self._translated_errors():
            yield from iter_groups(self._connection, self._policy_of, since_unix_nano, until_unix_nano)

    def clauses(self) -> list[str]:
        """Return the id of each clause that a decision or a policy in the file names, sorted."""
        return self._names(
            """SELECT clause FROM finding_row UNION
               SELECT text FROM name WHERE id IN (SELECT clause_id FROM assessment)"""
        )

    def services(self) -> list[str]:
        """Return the name of each service that a span or a decision in the file is of, sorted."""
        return self._names(
            """SELECT service FROM resource UNION SELECT service FROM decision_shared UNION
               SELECT service FROM decision_row WHERE shared_id IS NULL AND service IS NOT NULL"""
        )

    def _names(self, sql: str) -> list[str]:
        return sorted(str(name) for (name,) in self._rows(sql, ()) if name)

    def policies(self, digests: Iterable[str]) -> list[Record]:
        """Return the policy records of policy digests, the latest first; they name the clauses that were considered."""
        return self._records(
            """WITH named AS (SELECT value FROM json_each(?))
               SELECT record, time_unix_nano AS time FROM policy_row WHERE digest IN named
               UNION ALL SELECT record, (SELECT max(time_unix_nano) FROM policy_activation WHERE policy_id = p.id)
               FROM policy_record AS p WHERE record IS NOT NULL AND digest IN named
               ORDER BY time DESC""",
            (json.dumps(sorted(set(digests))),),
        )

    def other_records(self, type_: str, since_unix_nano: int | None = None) -> list[Record]:
        """Return the records of a type without a table of its own, since a time, the latest first."""
        sql = "SELECT record FROM record WHERE type = ? AND time_unix_nano >= ? ORDER BY time_unix_nano DESC"
        return self._records(sql, (type_, since_unix_nano or 0))

    def prunings(self) -> list[Record]:
        """Return the record of each removal of old decisions and spans, the latest first."""
        return self.other_records(PRUNING)

    def policy_activations(self) -> list[Record]:
        """Return the policy record of each moment at which one came into force, the earliest first."""
        found = self._activations()
        own = [(when, self._optional_json(service), self._json(record)) for when, service, record in found]
        return [{**record, "time_unix_nano": when, "service": service} for when, service, record in own]

    def examine(self, look: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a function finds in the file as it is at one moment."""
        with self._snapshot(), self._translated_errors():
            return look(self._connection)

    def short_trace_id(self, trace_id: str) -> str:
        """Return the shortest prefix of an id that no other trace shares."""
        return id_prefixes.shortest_prefix(self._rows, "span_row", "trace_id", trace_id)

    def short_decision_id(self, decision_id: str) -> str:
        """Return the shortest prefix of an id that no other decision shares."""
        return id_prefixes.shortest_prefix(self._rows, "decision_row", "id", decision_id)

    def _conditions(self, wanted: Filter) -> Iterator[query.Condition]:
        """Yield all conditions of a filter on rows of ``decision_row AS d``."""
        yield from query.decisions(wanted, self._of_service(wanted.service))
        if query.asks_for_findings(wanted):
            yield query.has_finding(wanted)

    def _of_service(self, service: str | None) -> str:
        """Return the condition of a service, which is looked up where few decisions are of it."""
        if service is None:
            return ""
        if self._rows("SELECT 1 FROM decision_row WHERE shared_id IS NULL LIMIT 1", ()):
            return "(coalesce((SELECT service FROM decision_shared WHERE id = d.shared_id), d.service) = ?)"
        of_service = "shared_id IN (SELECT id FROM decision_shared WHERE service = ?)"
        few = self._rows(f"SELECT 1 FROM decision_row WHERE {of_service} LIMIT {_MANY}", (service,))
        return f"d.{of_service}" if len(few) < _MANY else f"+d.{of_service}"

    def _is_common_verdict(self, verdict: str) -> bool:
        """Return whether so many decisions have a verdict that one is soon found among the latest."""
        if verdict in query.COMMON_VERDICTS:
            return True
        of_verdict = "SELECT 1 FROM trace_verdict AS v WHERE v.verdict = ? AND v.verdict <> 'complied'"
        return len(self._rows(f"{of_verdict} LIMIT {_MANY}", (verdict,))) == _MANY

    def _is_common_model(self, model: str) -> bool:
        """Return whether so many decisions are of a model that one is soon found among the latest."""
        return len(self._rows(f"SELECT 1 FROM decision_row AS d WHERE {MODEL} = ? LIMIT {_MANY}", (model,))) == _MANY

    def _deviating(self, wanted: Filter) -> list[str]:
        """Return ids of decisions with findings of an outcome that is always written in full, the latest first."""
        finding, values = query.deviations(wanted)
        conditions = [(finding, values), *query.decisions(wanted, self._of_service(wanted.service))]
        condition, values = query.where(iter(conditions))
        found: dict[str, None] = {}
        with self._translated_errors():
            rows = self._connection.execute(
                f"""SELECT f.decision_id FROM finding_row AS f CROSS JOIN decision_row AS d ON d.id = f.decision_id
                    {condition} ORDER BY f.time_unix_nano DESC, f.decision_id DESC""",
                values,
            )
            for (decision_id,) in rows:
                if len(found) == wanted.limit:
                    break
                found[decision_id] = None
        return list(found)

    def _walk(self, wanted: Filter) -> list[str]:
        """Return ids of decisions with such findings, the latest first, from the blocks that have one."""
        found: list[tuple[int, str]] = []
        conditions, values = query.where(self._conditions(wanted))
        for block, last in self._blocks(wanted):
            if 0 <= wanted.limit <= len(found) and (not found or found[-1][0] > last):
                break
            of_block, number = ("d.block IS NULL", ()) if block == 0 else ("d.block = ?", (block,))
            found += self._rows(
                f"""SELECT d.time_unix_nano, d.id FROM decision_row AS d {conditions} AND {of_block}
                    ORDER BY d.time_unix_nano DESC, d.id DESC LIMIT ?""",
                (*values, *number, wanted.limit),
            )
            found.sort(reverse=True)
            if wanted.limit >= 0:
                del found[wanted.limit :]
        return [decision_id for _, decision_id in found]

    def _blocks(self, wanted: Filter) -> list[tuple[int, int]]:
        """Return the blocks with such a finding, each with the time of its last decision, the latest first."""
        if not self._has_counts:
            return [_ALL_IN_ONE]
        return [(int(block), int(last)) for block, last in self._rows(*query.blocks(wanted))]

    def _traces_of_findings(self, wanted: Filter) -> query.Condition:
        """Return the condition that a trace has such a finding: by the traces, where few blocks have one."""
        of_findings = Filter(clause=wanted.clause, outcome=wanted.outcome, limit=-1)
        if query.is_deviation(wanted.outcome):
            few = self._deviating(replace(of_findings, limit=_MANY))
            return query.traces_of_decisions(few) if len(few) < _MANY else query.traces_of_findings(wanted)
        blocks = [block for block, _ in self._blocks(of_findings)]
        if len(blocks) > _FEW_BLOCKS:
            return query.traces_of_findings(wanted, blocks)
        ids = json.dumps(self._walk(of_findings))
        return (
            "trace_id IN (SELECT d.trace_id FROM decision_row AS d WHERE d.id IN (SELECT value FROM json_each(?)))",
            (ids,),
        )

    def _decisions(self, condition: str, values: tuple[Any, ...]) -> list[Record]:
        rows = self._rows(f"SELECT s.policy_id, {STORED_COLUMNS} {_FROM_DECISION} {condition}", values)
        found = [
            self._with_late(
                expand(stored_record((*map(self._optional_json, row[1:4]), *row[4:])), self._policy_of(row[0]))
            )
            for row in rows
        ]
        if not all(isinstance(each.get("id"), str) and each.get("time_unix_nano") is not None for each in found):
            raise self._invalid_record()
        return found

    def _with_late(self, decision: dict[str, Any]) -> Record:
        """Return a decision with the findings that came after it."""
        if not self._has_late:
            return decision
        sql = "SELECT record FROM late_finding WHERE decision_id = ? ORDER BY time_unix_nano, ordinal"
        late = self._records(sql, (decision.get("id"),))
        if not late and "pending" not in decision:
            return decision
        return with_late_findings(decision, late, time.time_ns())

    def _policy_of(self, policy_id: int | None) -> Record | None:
        """Return the policy record of a number, which many decisions share; None where it is missing."""
        if policy_id is None:
            return None
        if self._policies.get(policy_id) is None:
            found = self._records("SELECT record FROM policy_record WHERE id = ? AND record IS NOT NULL", (policy_id,))
            self._policies[policy_id] = found[0] if found else None
        return self._policies[policy_id]

    def _records(self, sql: str, values: tuple[Any, ...]) -> list[Record]:
        return [self._json(row[0]) for row in self._rows(sql, values)]

    def _optional_json(self, text: str | None) -> Any:
        return None if text is None else self._json(text)

    def _json(self, text: str | None, kind: type = dict) -> Any:
        error: Exception | None = None
        try:
            if isinstance(value := json.loads(text or "{}"), kind):
                return value
        except (ValueError, TypeError, RecursionError) as invalid:
            error = invalid
        raise self._invalid_record() from error

    def _invalid_record(self) -> SQLiteStoreError:
        remedy = "It was changed from outside; restore it from a copy."
        return SQLiteStoreError(self.path, "holds an invalid JSON record", remedy)

    def _rows(self, sql: str, values: tuple[Any, ...] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._translated_errors():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Have all statements of a block read the file as it is at one moment."""
        self._rows("BEGIN", ())
        try:
            yield
        finally:
            self._connection.rollback()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except SQLITE_ERRORS as error:
            raise translate_error(self.path, error) from error


_MADE_BY_WRITING = "It is made when the first spans are exported; name another with SPECSPAN_DB."
