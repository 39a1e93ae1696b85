"""Decisions and spans in ClickHouse, as an OpenTelemetry Collector writes them."""

from specspan_exporter_clickhouse.reader import Reader

__all__ = ["Reader"]
