"""Plug-ins: an exporter of spans for any OpenTelemetry program, and one of decision records for specspan."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from . import late_rows, record_rows, reviewed_verdicts, span_rows
from .errors import SQLiteStoreError
from .store import PATIENCE_S, shared_store

_log = logging.getLogger("specspan_exporter_sqlite")
_MAX_POLICIES = 64
_LOST_INTERVAL_S = 600.0


class SQLiteSpanExporter(SpanExporter):
    """Exporter of spans into one SQLite file; ``OTEL_TRACES_EXPORTER=specspan_sqlite`` names it.

    A batch that cannot be written is a `SpanExportResult.FAILURE`, and is logged; the application does not see it.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, patience_s: float = PATIENCE_S) -> None:
        """Write into the file ``path``, by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
        self._store = shared_store(path)
        self._patience_s = patience_s
        self._last_problem: str | None = None
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch, whole or not at all."""
        if self._closed:
            _log.warning("%d spans came after shutdown and are lost", len(spans))
            return SpanExportResult.FAILURE
        try:
            self.write(spans)
        except SQLiteStoreError as error:
            self._log_once(str(error))
            return SpanExportResult.FAILURE
        self._last_problem = None
        return SpanExportResult.SUCCESS

    def write(self, spans: Sequence[ReadableSpan]) -> None:
        """Write a batch, whole or not at all; spans that are in the file already stay as they are.

        Raises:
            SQLiteStoreError: nothing of it was written.
        """
        batch = span_rows.rows(spans)
        self._store.write(lambda connection: span_rows.insert(connection, batch), self._patience_s)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: a batch is in the file when `export` returns."""
        return True

    def shutdown(self) -> None:
        """Close the file; a later export fails."""
        self._closed = True
        self._store.close()

    def _log_once(self, problem: str) -> None:
        if problem != self._last_problem:
            self._last_problem = problem
            _log.error("spans are being lost: %s", problem)


class SQLiteDecisionExporter:
    """Exporter of decision records into one SQLite file, which specspan finds by its entry point."""

    def __init__(self, path: str | os.PathLike[str] | None = None, *, patience_s: float = PATIENCE_S) -> None:
        """Write into the file ``path``, by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
        self._store = shared_store(path)
        self._patience_s = patience_s
        self._policies: dict[str, Mapping[str, Any]] = {}
        """Latest policy records, for a file that lost them or was made anew."""
        self._tells_lost_at_s = 0.0

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write a batch, whole or not at all.

        Raises:
            SQLiteStoreError: nothing of it was written.
        """
        batch = record_rows.rows(records)
        for record in batch.policy_records:
            self._policies[record["id"]] = record
            if len(self._policies) > _MAX_POLICIES:
                del self._policies[next(iter(self._policies))]
        self._store.write(lambda connection: self._insert(connection, batch), self._patience_s)

    def _insert(self, connection: sqlite3.Connection, batch: record_rows.Batch) -> None:
        now_s = time.monotonic()
        settled = {str(record["decision"]) for record in batch.late_findings}
        if now_s >= self._tells_lost_at_s:  # at the start, findings that a killed process still owed
            settled |= late_rows.tell_lost(connection)
            self._tells_lost_at_s = now_s + _LOST_INTERVAL_S
        record_rows.insert(connection, batch, self._policies)
        if settled:
            reviewed_verdicts.conclude_again(connection, self._store.path, settled)

    def shutdown(self) -> None:
        """Close the file, which a later export opens again."""
        self._store.close()
