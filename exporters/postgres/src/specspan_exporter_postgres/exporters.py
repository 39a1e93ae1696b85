"""Plug-ins: an exporter of spans for any OpenTelemetry program, and one of decision records for specspan."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from specspan._support import drop_counts
from specspan_exporter_postgres.address import parse_address
from specspan_exporter_postgres.decisions import insert_records
from specspan_exporter_postgres.errors import PostgresStoreError
from specspan_exporter_postgres.late import tell_lost
from specspan_exporter_postgres.spans import insert_spans
from specspan_exporter_postgres.writer import Session, shared_writer

_log = logging.getLogger("specspan_exporter_postgres")
_MAX_POLICIES = 64
_LOST_INTERVAL_S = 600.0


class PostgresSpanExporter(SpanExporter):
    """Exporter of spans into a PostgreSQL database; ``OTEL_TRACES_EXPORTER=specspan_postgres`` names it.

    A batch that cannot be written is a `SpanExportResult.FAILURE`, logged and counted; the application does not see it.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None) -> None:
        """Write into the database that a URL names, by default ``SPECSPAN_DB``. Nothing is connected yet.

        Raises:
            ConfigurationError: the URL is missing or cannot be read.
        """
        self._writer = shared_writer(parse_address(url))
        self._last_problem: str | None = None
        self._closed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write a batch, whole or not at all."""
        if self._closed:
            drop_counts.count("span", "shutdown", len(spans))
            return SpanExportResult.FAILURE
        try:
            self.write(spans)
        except PostgresStoreError as error:
            drop_counts.count("span", "export_failed", len(spans))
            if str(error) != self._last_problem:  # once an outage
                self._last_problem = str(error)
                _log.error("spans are being lost: %s", error)
            return SpanExportResult.FAILURE
        self._last_problem = None
        return SpanExportResult.SUCCESS

    def write(self, spans: Sequence[ReadableSpan]) -> None:
        """Write a batch, whole or not at all; spans that are in the database already stay as they are.

        Raises:
            PostgresStoreError: it was not committed, as far as is known.
        """
        self._writer.write(lambda session: insert_spans(session, spans))

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: a batch is committed when `export` returns."""
        return True

    def shutdown(self) -> None:
        """Close the connection; a later export fails."""
        self._closed = True
        self._writer.close()


class PostgresDecisionExporter:
    """Exporter of decision records into a PostgreSQL database; ``SPECSPAN_DECISION_EXPORTER=postgres`` names it."""

    def __init__(self, url: str | os.PathLike[str] | None = None) -> None:
        """Write into the database that a URL names, by default ``SPECSPAN_DB``. Nothing is connected yet.

        Raises:
            ConfigurationError: the URL is missing or cannot be read.
        """
        self._writer = shared_writer(parse_address(url))
        self._policies: dict[str, Mapping[str, Any]] = {}
        """Latest policy records, for a database that lost them or was made anew."""
        self._tells_lost_at_s = 0.0

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write a batch, whole or not at all; it is committed when this returns.

        Raises:
            PostgresStoreError: it was not committed, as far as is known.
        """
        for record in records:
            if record.get("v") == 2 and record.get("type") == "policy" and isinstance(record.get("id"), str):
                self._policies[record["id"]] = record
                if len(self._policies) > _MAX_POLICIES:
                    del self._policies[next(iter(self._policies))]
        self._writer.write(lambda session: self._insert(session, records))

    def _insert(self, session: Session, records: Sequence[Mapping[str, Any]]) -> None:
        now_s = time.monotonic()
        if now_s >= self._tells_lost_at_s:  # at the start, findings that a killed process still owed
            tell_lost(session)
            self._tells_lost_at_s = now_s + _LOST_INTERVAL_S
        insert_records(session, records, self._policies)

    def shutdown(self) -> None:
        """Close the connection, which a later export opens again."""
        self._writer.close()
