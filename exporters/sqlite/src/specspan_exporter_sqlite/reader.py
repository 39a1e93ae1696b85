"""Reader of the file, also while others write it: lists by filter, one trace, one decision."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, final

from specspan_exporter_sqlite import query
from specspan_exporter_sqlite.errors import MissingFile, SQLiteStoreError, translate_error
from specspan_exporter_sqlite.model import EVERYTHING, VERDICTS, Filter, StoredSpan, TraceSummary
from specspan_exporter_sqlite.schema import check
from specspan_exporter_sqlite.store import PATIENCE_S, default_path

Record = Mapping[str, Any]

_SHORT_ID_LENGTH = 8
_SPAN_COLUMNS = """trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano, status,
    status_message, span.service, span.attributes, events, links, scope, resource.attributes"""


@final
class Reader:
    """Context manager of one file that is open for reading."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Open the file ``path``, by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder.

        Raises:
            SQLiteStoreError: the file is missing or empty, or another program wrote it.
        """
        self.path = default_path() if path is None else Path(path).absolute()
        if not self.path.exists():
            raise MissingFile(self.path, "no such file", _MADE_BY_WRITING)
        with self._translated_errors():
            self._connection = _open(self.path)
            if check(self._connection, self.path) == 0:
                self.close()
                raise MissingFile(self.path, "nothing was ever recorded in it", _MADE_BY_WRITING)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file for good."""
        self._connection.close()

    def traces(self, wanted: Filter = EVERYTHING) -> list[TraceSummary]:
        """Return traces, the one that began last first."""
        condition, values = query.where(query.traces(wanted))
        found = self._rows(
            f"SELECT trace_id FROM span {condition} ORDER BY start_unix_nano DESC, trace_id DESC LIMIT ?",
            (*values, wanted.limit),
        )
        return [self._summary(trace_id) for (trace_id,) in found]

    def trace_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of traces that begin with ``prefix``."""
        return self._ids("span", "trace_id", prefix, limit)

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """Return every span of a trace, the earliest first."""
        rows = self._rows(
            f"""SELECT {_SPAN_COLUMNS} FROM span LEFT JOIN resource ON resource.id = resource_id
                WHERE trace_id = ? ORDER BY start_unix_nano, span.rowid""",
            (trace_id,),
        )
        return [StoredSpan(*row[:10], *map(self._json, row[10:])) for row in rows]

    def decisions(self, wanted: Filter = EVERYTHING) -> list[Record]:
        """Return decision records, the latest first."""
        condition, values = query.where(query.decisions(wanted))
        return self._records(
            f"SELECT record FROM decision {condition} ORDER BY time_unix_nano DESC, id DESC LIMIT ?",
            (*values, wanted.limit),
        )

    def decision_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of decisions that begin with ``prefix``."""
        return self._ids("decision", "id", prefix, limit)

    def decision(self, decision_id: str) -> Record:
        """Return the decision record of an id.

        Raises:
            KeyError: the id is unknown.
        """
        found = self._records("SELECT record FROM decision WHERE id = ?", (decision_id,))
        if not found:
            raise KeyError(decision_id)
        return found[0]

    def decisions_of(self, trace_id: str) -> list[Record]:
        """Return the decision records of a trace, the earliest first."""
        return self._records("SELECT record FROM decision WHERE trace_id = ? ORDER BY time_unix_nano, id", (trace_id,))

    def policies(self, digests: Iterable[str]) -> list[Record]:
        """Return the policy records of policy digests, the latest first; they name the clauses that were considered."""
        return self._records(
            """SELECT record FROM policy WHERE digest IN (SELECT value FROM json_each(?))
               ORDER BY time_unix_nano DESC""",
            (json.dumps(sorted(set(digests))),),
        )

    def short_trace_id(self, trace_id: str) -> str:
        """Return the shortest prefix of an id that no other trace shares."""
        return self._short("span", "trace_id", trace_id)

    def short_decision_id(self, decision_id: str) -> str:
        """Return the shortest prefix of an id that no other decision shares."""
        return self._short("decision", "id", decision_id)

    def _summary(self, trace_id: str) -> TraceSummary:
        spans = self._rows(
            """SELECT span_id, parent_span_id, name, service, start_unix_nano, end_unix_nano FROM span
               WHERE trace_id = ? ORDER BY start_unix_nano, rowid""",
            (trace_id,),
        )
        present = {row[0] for row in spans}
        root = next((row for row in spans if row[1] not in present), spans[0])
        verdicts = {row[0] for row in self._rows("SELECT verdict FROM trace_verdict WHERE trace_id = ?", (trace_id,))}
        return TraceSummary(
            trace_id=trace_id,
            short_id=self.short_trace_id(trace_id),
            name=root[2],
            service=root[3],
            start_unix_nano=spans[0][4],
            end_unix_nano=max(row[5] for row in spans),
            spans=len(spans),
            verdict=next((verdict for verdict in VERDICTS if verdict in verdicts), None),
            violated=tuple(sorted(self._violated(trace_id))),
        )

    def _violated(self, trace_id: str) -> Iterator[str]:
        # From both, for spans may have been sampled away, and decisions may never have been exported here.
        for (clause,) in self._rows(
            """SELECT clause FROM finding JOIN decision ON decision.id = decision_id
                 WHERE trace_id = :trace AND outcome = 'violated'
               UNION
               SELECT value FROM span, json_each(span.attributes, '$."specspan.clauses.violated"')
                 WHERE trace_id = :trace AND verdict = 'violated'""",
            {"trace": trace_id},
        ):
            yield str(clause)

    def _ids(self, table: str, column: str, prefix: str, limit: int) -> list[str]:
        rows = self._rows(
            f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY 1 LIMIT ?",
            (prefix, prefix + "~", limit),  # a sign after every digit and letter that ids are made of
        )
        return [str(row[0]) for row in rows]

    def _short(self, table: str, column: str, whole: str) -> str:
        neighbours = self._rows(
            f"""SELECT max({column}) FROM {table} WHERE {column} < :whole
                UNION ALL SELECT min({column}) FROM {table} WHERE {column} > :whole""",
            {"whole": whole},
        )
        shared = max(_shared(whole, other or "") for (other,) in neighbours)
        return whole[: max(_SHORT_ID_LENGTH, shared + 1)]

    def _records(self, sql: str, values: tuple[Any, ...]) -> list[Record]:
        return [self._json(text) for (text,) in self._rows(sql, values)]

    def _json(self, text: str | None) -> Any:
        try:
            return json.loads(text or "{}")
        except ValueError as error:
            problem = "holds an invalid JSON record"
            raise SQLiteStoreError(
                self.path, problem, "It was changed from outside; restore it from a copy."
            ) from error

    def _rows(self, sql: str, values: tuple[Any, ...] | Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._translated_errors():
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translate_error(self.path, error) from error


def _shared(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


_MADE_BY_WRITING = "It is made when the first spans are exported; name another with SPECSPAN_DB."


def _open(path: Path) -> sqlite3.Connection:
    try:
        return _connect(path, "mode=ro")
    except sqlite3.OperationalError:
        # In a folder that may not be written, SQLite cannot keep the index of a write-ahead log. Where there is no log,
        # nobody is writing and none is needed.
        if _has_log(path):
            raise
        return _connect(path, "mode=ro&immutable=1")


def _connect(path: Path, how: str) -> sqlite3.Connection:
    connection = sqlite3.Connection(f"{path.as_uri()}?{how}", uri=True, timeout=PATIENCE_S, isolation_level=None)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _has_log(path: Path) -> bool:
    log = Path(f"{path}-wal")
    return log.exists() and log.stat().st_size > 0
