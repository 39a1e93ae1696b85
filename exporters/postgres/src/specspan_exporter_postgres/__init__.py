"""Spans and decisions of many machines in one PostgreSQL database."""

from specspan_exporter_postgres.errors import PostgresStoreError
from specspan_exporter_postgres.exporters import PostgresDecisionExporter, PostgresSpanExporter
from specspan_exporter_postgres.reader import Reader

__all__ = ["PostgresDecisionExporter", "PostgresSpanExporter", "PostgresStoreError", "Reader"]
