"""PostgreSQL as a kind of store."""

from __future__ import annotations

from contextlib import AbstractContextManager

from specspan.stores.protocols import StoreReader
from specspan_exporter_postgres.address import SCHEMES, parse_address
from specspan_exporter_postgres.pruning import preview_pruning, prune
from specspan_exporter_postgres.reader import Reader
from specspan_exporter_postgres.transactions import PostgresTransactions

NAME = "postgres"
__all__ = ["NAME", "SCHEMES", "check_address", "open_reader", "open_transactions", "preview_pruning", "prune"]


def open_reader(address: str) -> AbstractContextManager[StoreReader]:
    """Open a database for reading, until the block ends."""
    return Reader(address)


def open_transactions(address: str) -> PostgresTransactions:
    """Return the short transactions of a database; the first one opens it.

    Raises:
        ConfigurationError: the URL is invalid.
    """
    return PostgresTransactions(parse_address(address))


def check_address(address: str) -> None:
    """Refuse a URL that cannot be read. A server that is down is none of it: an application starts without it.

    Raises:
        ConfigurationError: the URL is invalid.
    """
    parse_address(address)
