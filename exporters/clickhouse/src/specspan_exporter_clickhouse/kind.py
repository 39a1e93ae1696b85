"""ClickHouse as a kind of store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from specspan.errors import ConfigurationError, Problem
from specspan.stores.protocols import StoreReader
from specspan_exporter_clickhouse.address import SCHEMES, Address, parse_address
from specspan_exporter_clickhouse.connection import Connection
from specspan_exporter_clickhouse.pruning import preview_pruning, prune
from specspan_exporter_clickhouse.reader import Reader
from specspan_exporter_clickhouse.schema import make_tables, require_tables
from specspan_exporter_clickhouse.transactions import NoTransactions

NAME = "clickhouse"
__all__ = [
    "NAME",
    "SCHEMES",
    "check_address",
    "check_store",
    "init_store",
    "open_reader",
    "open_transactions",
    "preview_pruning",
    "prune",
    "refuse_writer",
]


def open_reader(address: str) -> AbstractContextManager[StoreReader]:
    """Open a database for reading, until the block ends."""
    return Reader(address)


def open_transactions(address: str) -> NoTransactions:
    """Return what says that reviews and approvals are kept elsewhere.

    Raises:
        ConfigurationError: the URL is invalid.
    """
    return NoTransactions(parse_address(address).name)


def check_address(address: str) -> None:
    """Refuse the address to an application, which does not write to ClickHouse itself.

    Raises:
        ConfigurationError: always; a URL that cannot be read is told first.
    """
    name = parse_address(address).name
    remedy = (
        "Send decisions to the Collector that writes there: set OTEL_EXPORTER_OTLP_ENDPOINT, "
        "OTEL_TRACES_EXPORTER=otlp and SPECSPAN_DECISION_EXPORTER=otlp. "
        "Commands that read take SPECSPAN_DB."
    )
    raise ConfigurationError(name, Problem("no application writes to ClickHouse itself", remedy))


def refuse_writer(url: str) -> None:
    """Stand where other stores have exporters, and refuse what `check_address` refuses.

    Raises:
        ConfigurationError: always.
    """
    check_address(url)


def init_store(address: str, keep_days: int | None = None) -> list[str]:
    """Make the tables, or bring them to this version, and return what was done in lines.

    Raises:
        ConfigurationError: the URL is invalid.
        StoreError: the database cannot be reached or changed; the message says what to do.
    """
    with _connection(parse_address(address)) as connection:
        return make_tables(connection, keep_days)


def check_store(address: str) -> list[str]:
    """Return what the database holds in lines.

    Raises:
        ConfigurationError: the URL is invalid.
        EmptyStore, StoreError: it has no tables of ours, or cannot be read.
    """
    with _connection(parse_address(address)) as connection:
        require_tables(connection)
        return list(_describe(connection))


def _describe(connection: Connection) -> Iterator[str]:
    rows = connection.rows(
        """SELECT uniqExact(id), count(), max(time_unix_nano), (SELECT count() FROM specspan_uncounted_minute),
            (SELECT uniqExact(policy_record) FROM specspan_decision
                WHERE policy_record NOT IN (SELECT id FROM specspan_policy) AND policy_record != '')
            FROM specspan_decision"""
    )
    decisions, stored, _, uncounted, missing = rows[0]
    yield f"{decisions} decisions, {stored - decisions} rows that came again and are not merged yet."
    if missing:
        yield f"{missing} policies are missing, so most findings under them are numbers only."
    yield f"{uncounted} minutes are counted from decisions until the server has counted them anew."
    sizes = connection.rows(
        """SELECT table, sum(bytes_on_disk), sum(rows) FROM system.parts WHERE active
            AND database = currentDatabase() AND startsWith(table, 'specspan_') GROUP BY table ORDER BY 2 DESC"""
    )
    for table, size_bytes, count in sizes:
        yield f"{table}: {count} rows, {size_bytes} bytes."


@contextmanager
def _connection(address: Address) -> Iterator[Connection]:
    connection = Connection(address)
    try:
        yield connection
    finally:
        connection.close()
