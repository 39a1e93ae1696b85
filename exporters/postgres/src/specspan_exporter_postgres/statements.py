"""Statements that are written once for both databases, on a connection of this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from specspan_exporter_postgres.writer import clean_row


class PostgresStatements:
    """Statements on one connection, in a transaction."""

    decision_table = "decision"
    for_update = " FOR UPDATE"

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        connection.execute("SET LOCAL search_path TO specspan")

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a statement yields."""
        return self._connection.execute(sql.replace("?", "%s"), clean_row(tuple(values))).fetchall()

    def change(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run a statement that changes rows, and return their number."""
        return self._connection.execute(sql.replace("?", "%s"), clean_row(tuple(values))).rowcount

    def now_ns(self) -> int:
        """Return the server's time, which all who share the database go by."""
        ((now_ns,),) = self.rows("SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint")
        return int(now_ns)
