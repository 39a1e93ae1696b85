"""Numbers of texts that many rows name: clauses, services and digests of policies."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from .bulk_insert import insert_rows

_CHUNK = 512


def insert_names(connection: sqlite3.Connection, texts: Iterable[str]) -> dict[str, int]:
    """Return the number of each text, new ones written first."""
    wanted = sorted(set(texts))
    found = _find(connection, wanted)
    new = [text for text in wanted if text not in found]
    if new:
        insert_rows(connection, "name", [(None, text) for text in new], ignores_known=True)
        found |= _find(connection, new)
    return found


def _find(connection: sqlite3.Connection, texts: list[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(texts), _CHUNK):
        part = texts[start : start + _CHUNK]
        marks = ", ".join("?" * len(part))
        found |= dict(connection.execute(f"SELECT text, id FROM name WHERE text IN ({marks})", part).fetchall())
    return found
