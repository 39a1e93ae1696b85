"""Writer of a database: whole batches, each in one transaction, by one connection of the process.

A connection that fails is opened anew with the next batch, and the longer a server does not answer, the more rarely it
is asked. A forked child never touches its parent's connection: it opens its own.
"""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg

from specspan._support import process
from specspan_exporter_postgres.address import Address
from specspan_exporter_postgres.errors import PostgresStoreError, TemporaryFailure, translate_error
from specspan_exporter_postgres.schema import NAMING, VERSION, WRITING, migrate

STATEMENT_TIMEOUT_S = 30
_FIRST_DELAY_S, _MAX_DELAY_S = 0.25, 5.0
_BEGIN = f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_S}s'; SELECT pg_advisory_xact_lock_shared({WRITING})"


@dataclass(slots=True)
class Session:
    """Connection in a transaction, and what is known to be in the database already."""

    connection: psycopg.Connection
    known: set[Any] = field(default_factory=set)
    """Numbers of shared parts and of combinations, and ids of resources and policies."""
    epoch: int = 0
    """Number of prunings until which ``known`` holds: they may remove what nothing names any more."""

    def lock_names(self) -> None:
        """Wait until no other writer adds combinations or policies; until the transaction ends, none does."""
        self.connection.execute("SELECT pg_advisory_xact_lock(%s)", (NAMING,))

    def insert_new(self, table: str, rows: dict[Any, tuple[Any, ...]]) -> None:
        """Insert rows by their key, which are whole and never change, but for those that are known to be there."""
        new = sorted((str(key), key, row) for key, row in rows.items() if (table, key) not in self.known)
        for _, key, row in new:
            marks = ", ".join(["%s"] * len(row))
            statement = f"INSERT INTO specspan.{table} VALUES ({marks}) ON CONFLICT DO NOTHING"
            self.connection.execute(statement, clean_row(row))
            self.known.add((table, key))

    def copy(self, table: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
        """Insert rows that are not there yet, as one stream."""
        if not rows:
            return
        statement = f"COPY specspan.{table} ({columns}) FROM STDIN"
        with self.connection.cursor().copy(statement) as stream:
            for row in rows:
                stream.write_row(clean_row(row))


class Writer:
    """Database that is open for writing as long as there is something to write."""

    def __init__(self, address: Address, now_s: Callable[[], float] = time.monotonic) -> None:
        """Keep the address; the first batch opens the database."""
        self._session: Session | None = None
        self.address = address
        self._now_s = now_s
        self._lock = threading.Lock()
        self._problem: PostgresStoreError | None = None
        self._delay_s = 0.0
        self._next_attempt_s = 0.0
        process.after_fork(self)

    def write(self, work: Callable[[Session], None]) -> None:
        """Run ``work`` in one transaction: all of it is committed afterwards, or none.

        Raises:
            PostgresStoreError: it could not be. Where the answer to the commit was lost, it may be there all the same.
        """
        with self._lock:
            session = self._open()
            try:
                with _transaction(session):
                    work(session)
            except psycopg.Error as error:
                self._close()
                raise translate_error(self.address.name, error) from error
            except BaseException:
                self._close()
                raise

    def close(self) -> None:
        """Close the connection; a later `write` opens another."""
        with self._lock:
            self._close()

    def __del__(self) -> None:
        """Close the connection of a writer that nobody has any more."""
        self._close()

    def after_fork(self) -> None:
        """Begin anew in a forked child: the connection is the parent's."""
        self._lock = threading.Lock()
        if self._session is not None:
            _of_parent.append(self._session.connection)
        self._session = None

    def _open(self) -> Session:
        if self._session is not None and not self._session.connection.closed:
            return self._session
        if self._problem is not None and self._now_s() < self._next_attempt_s:
            raise self._problem
        try:
            self._session = Session(open_connection(self.address, is_writer=True))
        except PostgresStoreError as error:
            if isinstance(error, TemporaryFailure):
                self._delay_s = min(max(2 * self._delay_s, _FIRST_DELAY_S), _MAX_DELAY_S)
                self._next_attempt_s = self._now_s() + random.uniform(0.5, 1) * self._delay_s  # noqa: S311 - no secret
                self._problem = error
            raise
        self._problem, self._delay_s = None, 0.0
        return self._session

    def _close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            with suppress(psycopg.Error):
                session.connection.close()


def open_connection(address: Address, *, is_writer: bool = False) -> psycopg.Connection:
    """Open a connection, for a writer with the tables made or brought up to date.

    Raises:
        PostgresStoreError: it could not be opened, or the tables are not ours.
    """
    try:
        # The class: instrumentation that patches psycopg.connect() would make spans of our own writes.
        connection = psycopg.Connection.connect(address.conninfo, autocommit=True, prepare_threshold=None)
    except psycopg.Error as error:
        raise translate_error(address.name, error) from None  # the connection string is in its frames
    try:
        connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        if is_writer:
            migrate(connection, address.name)
    except psycopg.Error as error:
        connection.close()
        raise translate_error(address.name, error) from error
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(session: Session) -> Iterator[None]:
    connection = session.connection
    with connection.transaction():
        connection.execute(_BEGIN)
        found = connection.execute("SELECT version, epoch FROM specspan.store").fetchone()
        version, epoch = found or (0, 0)
        if version != VERSION:  # a newer version took the database over since it was opened
            raise psycopg.OperationalError("the tables changed since the connection was opened")
        if epoch != session.epoch:
            session.known.clear()
            session.epoch = epoch
        yield


def clean_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a row whose texts PostgreSQL takes: it has no NUL character."""
    if any(value.__class__ is str and "\0" in value for value in row):
        return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in row)
    return row


def shared_writer(address: Address) -> Writer:
    """Return this process's only writer of a database."""
    with _all_lock:
        writer = _by_conninfo.get(address.conninfo)
        if writer is None:
            writer = _by_conninfo[address.conninfo] = Writer(address)
    return writer


_all_lock = threading.RLock()
_by_conninfo: weakref.WeakValueDictionary[str, Writer] = weakref.WeakValueDictionary()
_of_parent: list[psycopg.Connection] = []
"""Connections of the process that this one was forked from: closing one would end its session."""
