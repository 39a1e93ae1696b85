"""Spans and decisions in one SQLite file."""

from specspan_exporter_sqlite.errors import SQLiteStoreError
from specspan_exporter_sqlite.exporters import SQLiteDecisionExporter, SQLiteSpanExporter
from specspan_exporter_sqlite.model import Filter, StoredSpan, TraceSummary
from specspan_exporter_sqlite.reader import Reader

__all__ = [
    "Filter",
    "Reader",
    "SQLiteDecisionExporter",
    "SQLiteSpanExporter",
    "SQLiteStoreError",
    "StoredSpan",
    "TraceSummary",
]
