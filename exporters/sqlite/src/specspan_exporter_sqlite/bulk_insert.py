"""Insertion of many rows by few statements.

`sqlite3` gives the interpreter lock away at every step of a statement, and ``executemany`` steps once a row: beside a
thread that computes, it waits for the lock at every row. A statement of many rows is one step. Values are bound, so
that integers, infinities, NUL characters and bytes are stored as they are.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

Row = tuple[Any, ...]

_MAX_ROWS = 512
"""Most rows of one statement, whose compiled form is kept."""


def insert_rows(
    connection: sqlite3.Connection, table: str, rows: Sequence[Row], *, ignores_known: bool = False
) -> None:
    """Insert rows, each of all columns; with ``ignores_known``, leave out those that conflict with known ones."""
    if not rows:
        return
    for part in _split(rows, max(1, min(_MAX_ROWS, _max_parameters(connection) // len(rows[0])))):
        statement = _statement(table, len(part), len(part[0]), ignores_known=ignores_known)
        connection.execute(statement, tuple(chain.from_iterable(part)))


def _split(rows: Sequence[Row], limit: int) -> Iterator[Sequence[Row]]:
    """Yield rows in parts whose sizes are powers of two, so that few compiled statements serve every number of rows."""
    start = 0
    while start < len(rows):
        size = 1 << (min(limit, len(rows) - start).bit_length() - 1)
        yield rows[start : start + size]
        start += size


@lru_cache(maxsize=256)
def _statement(table: str, rows: int, columns: int, *, ignores_known: bool) -> str:
    row = f"({', '.join('?' * columns)})"
    conflict = " ON CONFLICT DO NOTHING" if ignores_known else ""
    return f"INSERT INTO {table} VALUES {', '.join([row] * rows)}{conflict}"


def _max_parameters(connection: sqlite3.Connection) -> int:
    # https://www.sqlite.org/limits.html#max_variable_number
    if sys.version_info >= (3, 11):
        return connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    return 32_766 if sqlite3.sqlite_version_info >= (3, 32) else 999
