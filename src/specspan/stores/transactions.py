"""Protocol of short transactions on a store's tables of oversight, whichever database holds them.

SQL is written once, in what SQLite and PostgreSQL have in common, with ``?`` for each value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Statements(Protocol):
    """Statements of one transaction."""

    decision_table: str
    """Name of the table whose rows are decisions, with the columns that they have in both databases."""
    for_update: str
    """Clause at the end of a ``SELECT`` that keeps its rows from others until the transaction ends; may be empty."""

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a statement yields."""

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes rows, and return their number."""

    def now_ns(self) -> int:
        """Return the time of the one clock that all who share the store go by, in nanoseconds since 1970."""


class Transactions(Protocol):
    """Store that is open for short transactions. Any thread may use it.

    Its methods raise `specspan.errors.StoreError`: the store is locked, read-only, of a newer version or out of reach.
    """

    @property
    def name(self) -> str:
        """Name of the store in messages: a path, or a URL without its password."""

    def read(self, work: Callable[[Statements], T]) -> T:
        """Return what ``work`` finds at one moment; raise `specspan.errors.EmptyStore` where nothing was recorded."""

    def write(self, work: Callable[[Statements], T]) -> T:
        """Return the result of ``work``, all of which is in the store afterwards, or none; the store is made first."""

    def close(self) -> None:
        """Give connections back; a later call opens others."""
