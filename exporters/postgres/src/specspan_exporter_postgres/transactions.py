"""Short transactions on the database, for readers and for writers of the tables of oversight."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import psycopg

from specspan._support import process
from specspan_exporter_postgres.address import Address
from specspan_exporter_postgres.errors import EmptyDatabase, translate_error
from specspan_exporter_postgres.schema import WITH_OVERSIGHT, find_version
from specspan_exporter_postgres.statements import PostgresStatements
from specspan_exporter_postgres.writer import Session, Writer, open_connection

T = TypeVar("T")


class PostgresTransactions:
    """Transactions on the database of an address, by connections of their own: no exporter's batch holds them up."""

    def __init__(self, address: Address) -> None:
        """Keep the address; the first transaction connects."""
        self._address = address
        self._writer = Writer(address)
        self._lock = threading.Lock()
        self._idle: list[psycopg.Connection] = []
        process.after_fork(self)

    @property
    def name(self) -> str:
        """URL of the database without its password, for messages."""
        return self._address.name

    def read(self, work: Callable[[PostgresStatements], T]) -> T:
        """Return what ``work`` finds in the database at one moment.

        Raises:
            EmptyDatabase: nothing was ever recorded in it, or only by a version that had no such tables.
            PostgresStoreError: it cannot be reached or read.
        """
        connection = self._take()
        try:
            with connection.transaction():
                found = work(PostgresStatements(connection))
        except psycopg.Error as error:
            connection.close()
            raise translate_error(self.name, error) from error
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return found

    def write(self, work: Callable[[PostgresStatements], T]) -> T:
        """Return the result of ``work``, all of which is committed afterwards, or none.

        Raises:
            PostgresStoreError: it could not be. Where the answer to the commit was lost, it may be there all the same.
        """
        results: list[T] = []

        def run(session: Session) -> None:
            results[:] = [work(PostgresStatements(session.connection))]

        self._writer.write(run)
        return results[0]

    def close(self) -> None:
        """Close the connections; a later call opens others."""
        self._writer.close()
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def __del__(self) -> None:
        """Close the connections of transactions that nobody has any more."""
        for connection in self._idle:
            connection.close()

    def after_fork(self) -> None:
        """Begin anew in a forked child: the connections are the parent's."""
        self._lock = threading.Lock()
        _of_parent.extend(self._idle)
        self._idle = []

    def _take(self) -> psycopg.Connection:
        while True:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                return self._open()
            if not connection.closed:
                return connection

    def _open(self) -> psycopg.Connection:
        connection = open_connection(self._address)
        try:
            version = find_version(connection, self.name)
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        except psycopg.Error as error:
            connection.close()
            raise translate_error(self.name, error) from error
        except BaseException:
            connection.close()
            raise
        if version < WITH_OVERSIGHT:
            connection.close()
            raise EmptyDatabase(self.name, "no review or approval was ever recorded in it", "")
        return connection


_of_parent: list[psycopg.Connection] = []
"""Connections of the process that this one was forked from: closing one would end its session."""
