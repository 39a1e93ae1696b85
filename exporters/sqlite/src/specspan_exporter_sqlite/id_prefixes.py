"""Ids of traces and decisions by the start of an id, and the shortest start that is unique."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Rows = Callable[[str, Any], list[tuple[Any, ...]]]
"""Function that returns the rows of a statement."""
_SHORT_ID_LENGTH = 8


def starting_with(rows: Rows, table: str, column: str, prefix: str, limit: int) -> list[str]:
    """Return the ids of a table that begin with ``prefix``, sorted."""
    found = rows(
        f"SELECT DISTINCT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY 1 LIMIT ?",
        (prefix, prefix + "~", limit),  # a sign after every digit and letter that ids are made of
    )
    return [str(row[0]) for row in found]


def shortest_prefix(rows: Rows, table: str, column: str, whole: str) -> str:
    """Return the shortest start of an id, of at least eight signs, that no other id of a table has."""
    neighbours = rows(
        f"""SELECT max({column}) FROM {table} WHERE {column} < :whole
            UNION ALL SELECT min({column}) FROM {table} WHERE {column} > :whole""",
        {"whole": whole},
    )
    shared = max(_shared(whole, other or "") for (other,) in neighbours)
    return whole[: max(_SHORT_ID_LENGTH, shared + 1)]


def _shared(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
