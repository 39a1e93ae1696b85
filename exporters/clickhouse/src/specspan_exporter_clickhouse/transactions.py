"""Answer to whoever asks a database without transactions for reviews or approvals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, final

from specspan.stores.transactions import Statements
from specspan_exporter_clickhouse.errors import ClickHouseStoreError, EmptyDatabase

T = TypeVar("T")


@final
class NoTransactions:
    """Transactions of a store that keeps neither reviews nor approvals, as it has no transactions."""

    def __init__(self, name: str) -> None:
        self._name = name

    @property
    def name(self) -> str:
        """URL of the database without its password, for messages."""
        return self._name

    def read(self, work: Callable[[Statements], T]) -> T:
        """Raise `EmptyDatabase`: nothing of the kind was ever recorded."""
        raise EmptyDatabase(self._name, "keeps no reviews, approvals and incidents", "")

    def write(self, work: Callable[[Statements], T]) -> T:
        """Raise `ClickHouseStoreError` with the remedy."""
        remedy = "Keep them in SQLite or PostgreSQL: give its address with --db or SPECSPAN_DB."
        raise ClickHouseStoreError(self._name, "keeps no reviews, approvals and incidents", remedy)

    def close(self) -> None:
        """Do nothing: nothing is open."""
