"""Removal of what is older than a time, in short transactions between those of living writers.

A record of type ``pruning`` says what went, and is written in the transactions that remove it. Policy records stay as
long as a decision names them. What nothing names any more goes last, in one transaction that has the database alone.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from specspan.sqlite.model import PRUNING, Pruning
from specspan.sqlite.text import encode
from specspan_exporter_postgres.address import Address, parse_address
from specspan_exporter_postgres.errors import PostgresStoreError, translate_error
from specspan_exporter_postgres.reader import Reader
from specspan_exporter_postgres.schema import HOUR_NS, WRITING
from specspan_exporter_postgres.writer import Session, Writer, open_connection

_ROWS_AT_ONCE = 5000
_WAIT_S = 10
_TABLES = ("span", "decision", "finding", "decision_count", "decision_outcomes", "outcome_finding", "policy")
_REMOVE_DECISIONS = """DELETE FROM specspan.decision WHERE id IN (
        SELECT id FROM specspan.decision WHERE time_unix_nano < %s ORDER BY time_unix_nano, id LIMIT %s)
    RETURNING id, time_unix_nano, shared_id, outcomes_id"""
_REMOVE_SPANS = """DELETE FROM specspan.span WHERE (trace_id, span_id) IN (
        SELECT trace_id, span_id FROM specspan.span WHERE start_unix_nano < %s ORDER BY start_unix_nano LIMIT %s)
    RETURNING start_unix_nano"""
_UNCOUNT = """UPDATE specspan.decision_count SET decisions = decisions - %s
    WHERE hour = %s AND shared_id = %s AND outcomes_id = %s"""
_RECORD = """INSERT INTO specspan.other_record VALUES (%s, %s, %s, %s)
    ON CONFLICT (id) DO UPDATE SET time_unix_nano = excluded.time_unix_nano, record = excluded.record"""
_OLD_POLICIES = """NOT EXISTS (SELECT 1
        FROM specspan.decision_shared AS s JOIN specspan.decision AS d ON d.shared_id = s.id
        WHERE s.policy_record = p.id AND d.time_unix_nano >= %(before)s)
    AND NOT EXISTS (SELECT 1 FROM specspan.policy_activation AS a
        WHERE a.policy_record = p.id AND a.time_unix_nano >= %(before)s)"""
_OLD_FIRST_VERSION = """time_unix_nano < %(before)s AND NOT EXISTS (SELECT 1 FROM specspan.decision AS d
    WHERE d.policy_digest = p.digest AND d.time_unix_nano >= %(before)s)"""
_OLD_RECORDS = f"time_unix_nano > 0 AND time_unix_nano < %(before)s AND type <> '{PRUNING}'"
_UNNAMED = (
    "DELETE FROM specspan.decision_count WHERE decisions <= 0",
    """DELETE FROM specspan.decision_shared AS s
        WHERE NOT EXISTS (SELECT 1 FROM specspan.decision AS d WHERE d.shared_id = s.id)""",
    """DELETE FROM specspan.decision_outcomes AS o
        WHERE NOT EXISTS (SELECT 1 FROM specspan.decision AS d WHERE d.outcomes_id = o.id)""",
    """DELETE FROM specspan.outcome_finding AS f
        WHERE NOT EXISTS (SELECT 1 FROM specspan.decision_outcomes AS o WHERE o.id = f.outcomes_id)""",
    """DELETE FROM specspan.span_shared AS s
        WHERE NOT EXISTS (SELECT 1 FROM specspan.span AS p WHERE p.shared_id = s.id)""",
    """DELETE FROM specspan.resource AS r
        WHERE NOT EXISTS (SELECT 1 FROM specspan.span_shared AS s WHERE s.resource_id = r.id)""",
    """DELETE FROM specspan.policy_activation AS a
        WHERE NOT EXISTS (SELECT 1 FROM specspan.policy AS p WHERE p.id = a.policy_record)""",
    "UPDATE specspan.store SET epoch = epoch + 1",
)


def preview_pruning(url: str | os.PathLike[str] | None, before_unix_nano: int, by: str) -> Pruning:
    """Return what `prune` would remove; the database is only read.

    Raises:
        PostgresStoreError: the database cannot be reached, or nothing was ever recorded in it.
    """
    with Reader(url) as reader:
        return reader.examine(lambda connection: _preview(connection, Pruning(before_unix_nano, by)))


def prune(url: str | os.PathLike[str] | None, before_unix_nano: int, by: str) -> Pruning:
    """Remove decisions and spans from before a time, and what nothing names any more; have the space used again.

    Raises:
        PostgresStoreError: as `preview_pruning`, or it cannot be written. What was removed by then is on record.
    """
    address = parse_address(url)
    with Reader(url) as reader:
        before = reader.examine(_size)
    pruning = Pruning(before_unix_nano, by, size_before_bytes=before)
    writer = Writer(address)
    try:
        while _step(writer, pruning, _remove_decisions):
            pass
        while _step(writer, pruning, _remove_spans):
            pass
    finally:
        writer.close()
    _remove_unnamed(address, pruning)
    try:
        pruning.size_after_bytes = _vacuum(address)
    except PostgresStoreError as error:
        pruning.problem = str(error)
    return pruning


def _step(writer: Writer, pruning: Pruning, remove: Callable[[psycopg.Connection, Pruning], None]) -> bool:
    """Run one transaction, counted in ``pruning``; return whether it removed as much as it may at once."""
    found: list[Pruning] = []

    def work(session: Session) -> None:
        step = Pruning(pruning.before_unix_nano, pruning.by)
        remove(session.connection, step)
        found[:] = [step]
        if step.removed:
            _put_on_record(session.connection, pruning, step)

    writer.write(work)
    (step,) = found
    pruning.removed.update(step.removed)
    pruning.add_times(step.first_unix_nano, step.last_unix_nano)
    return max(step.removed["decision"], step.removed["span"]) == _ROWS_AT_ONCE


def _put_on_record(connection: psycopg.Connection, pruning: Pruning, step: Pruning) -> None:
    total = Pruning(pruning.before_unix_nano, pruning.by, id=pruning.id)
    for each in (pruning, step):
        total.removed.update(each.removed)
        total.add_times(each.first_unix_nano, each.last_unix_nano)
    record = total.to_record(time.time_ns())
    connection.execute(_RECORD, (pruning.id, PRUNING, record["time_unix_nano"], encode(record)))


def _remove_decisions(connection: psycopg.Connection, step: Pruning) -> None:
    gone = connection.execute(_REMOVE_DECISIONS, (step.before_unix_nano, _ROWS_AT_ONCE)).fetchall()
    if not gone:
        return
    ids, times = [row[0] for row in gone], [row[1] for row in gone]
    statement = "DELETE FROM specspan.finding WHERE decision_id = ANY(%s)"
    step.removed["finding"] = connection.execute(statement, (ids,)).rowcount
    connection.execute("DELETE FROM specspan.late_finding WHERE decision_id = ANY(%s)", (ids,))
    step.removed["decision"] = len(gone)
    step.add_times(min(times), max(times))
    counts = Counter((row[1] // HOUR_NS, row[2], row[3]) for row in gone if None not in row)
    with connection.cursor() as cursor:
        cursor.executemany(_UNCOUNT, [(count, *key) for key, count in sorted(counts.items())])


def _remove_spans(connection: psycopg.Connection, step: Pruning) -> None:
    gone = connection.execute(_REMOVE_SPANS, (step.before_unix_nano, _ROWS_AT_ONCE)).fetchall()
    if gone:
        step.removed["span"] = len(gone)
        step.add_times(min(gone)[0], max(gone)[0])


def _remove_unnamed(address: Address, pruning: Pruning) -> None:
    """Remove what nothing names while nobody else writes: writers remember what is there until the epoch changes."""
    connection = open_connection(address)
    before = {"before": pruning.before_unix_nano}
    step = Pruning(pruning.before_unix_nano, pruning.by)
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{_WAIT_S}s'")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (WRITING,))
            for kind, rows in (
                ("policy", f"policy AS p WHERE {_OLD_POLICIES}"),
                ("policy", f"policy_first_version AS p WHERE {_OLD_FIRST_VERSION}"),
                ("record", f"other_record WHERE {_OLD_RECORDS}"),
            ):
                statement = f"DELETE FROM specspan.{rows}"
                step.removed[kind] += connection.execute(statement, before).rowcount
            for statement in _UNNAMED:
                connection.execute(statement)
            step.removed = +step.removed
            if step.removed:
                _put_on_record(connection, pruning, step)
            pruning.kept_policies = _count(connection, "policy") + _count(connection, "policy_first_version")
        pruning.removed.update(step.removed)
    except psycopg.Error as error:
        raise translate_error(address.name, error) from error
    finally:
        connection.close()


def _preview(connection: psycopg.Connection, pruning: Pruning) -> Pruning:
    before = {"before": pruning.before_unix_nano}
    for table, column in (("decision", "time_unix_nano"), ("finding", "time_unix_nano"), ("span", "start_unix_nano")):
        asked = f"SELECT count(*), min({column}), max({column}) FROM specspan.{table} WHERE {column} < %(before)s"
        number, first, last = _one(connection, asked, before)
        pruning.removed[table] = number
        pruning.add_times(first, last)
    pruning.removed["policy"] = _count(connection, f"policy AS p WHERE {_OLD_POLICIES}", before)
    pruning.removed["policy"] += _count(connection, f"policy_first_version AS p WHERE {_OLD_FIRST_VERSION}", before)
    pruning.removed["record"] = _count(connection, f"other_record WHERE {_OLD_RECORDS}", before)
    there = _count(connection, "policy") + _count(connection, "policy_first_version")
    pruning.kept_policies = there - pruning.removed["policy"]
    pruning.removed = +pruning.removed
    return pruning


def _vacuum(address: Address) -> int:
    """Have the tables' space used again, and return their size.

    Raises:
        PostgresStoreError: it could not be.
    """
    connection = open_connection(address)
    try:
        for table in _TABLES:
            connection.execute(f"VACUUM (ANALYZE) specspan.{table}")
        return _size(connection)
    except psycopg.Error as error:
        raise translate_error(address.name, error) from error
    finally:
        connection.close()


def _size(connection: psycopg.Connection) -> int:
    asked = """SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
        WHERE relnamespace = to_regnamespace('specspan') AND relkind = 'r'"""
    return int(_one(connection, asked, {})[0])


def _count(connection: psycopg.Connection, rows: str, values: Mapping[str, Any] | None = None) -> int:
    return int(_one(connection, f"SELECT count(*) FROM specspan.{rows}", values or {})[0])


def _one(connection: psycopg.Connection, statement: str, values: Mapping[str, Any]) -> tuple[Any, ...]:
    return connection.execute(statement, values).fetchone() or ()
