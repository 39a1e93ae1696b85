"""Spans and decisions in one SQLite file."""

from .errors import SQLiteStoreError
from .exporters import SQLiteDecisionExporter, SQLiteSpanExporter
from .model import Filter, StoredSpan, TraceSummary
from .reader import Reader

__all__ = [
    "Filter",
    "Reader",
    "SQLiteDecisionExporter",
    "SQLiteSpanExporter",
    "SQLiteStoreError",
    "StoredSpan",
    "TraceSummary",
]
