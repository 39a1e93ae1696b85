"""Removal of what is older than a time, in short transactions between those of living writers.

A record of type ``pruning`` says what went, and is written in the transactions that remove it. Policy records stay as
long as a decision names them.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from .errors import SQLITE_ERRORS, SQLiteStoreError, translate_error
from .model import PRUNING, Pruning
from .reader import Reader
from .references import EXPANDED_RANGES, HOUR_NS, OUTCOME_OF_KEY
from .store import PATIENCE_S, Store
from .text import encode

_ROWS_AT_ONCE = 1000
_PATIENCE_S = PATIENCE_S
_VACUUM_PATIENCE_S = 30.0
_GONE = "(SELECT value FROM json_each(?))"
_ON_CONFLICT = """ON CONFLICT (clause_id, outcome, block, hour, service_id, policy_id)
    DO UPDATE SET count = count + excluded.count"""
_UNCOUNT_REFERENCED = f"""INSERT INTO finding_count SELECT a.clause_id, {OUTCOME_OF_KEY}, d.block, d.hour, service.id,
        policy.id, -sum(d.decisions)
    FROM (SELECT shared_id, outcomes, block, time_unix_nano / {HOUR_NS} AS hour, count(*) AS decisions
            FROM decision_row WHERE id IN {_GONE} AND outcomes IS NOT NULL GROUP BY 1, 2, 3, 4) AS d
        CROSS JOIN decision_shared AS s ON s.id = d.shared_id CROSS JOIN {EXPANDED_RANGES}
        JOIN name AS service ON service.text = coalesce(s.service, '')
        JOIN name AS policy ON policy.text = coalesce(s.policy_digest, '')
    WHERE true GROUP BY 1, 2, 3, 4, 5, 6 {_ON_CONFLICT}"""
_UNCOUNT_IN_FULL = f"""INSERT INTO finding_count SELECT clause.id, f.outcome, coalesce(d.block, 0),
        f.time_unix_nano / {HOUR_NS}, service.id, policy.id, -count(*)
    FROM decision_row AS d CROSS JOIN finding_row AS f ON f.decision_id = d.id
        LEFT JOIN decision_shared AS s ON s.id = d.shared_id
        JOIN name AS clause ON clause.text = f.clause
        JOIN name AS service ON service.text = coalesce(s.service, d.service, '')
        JOIN name AS policy ON policy.text = coalesce(s.policy_digest, d.policy_digest, '')
    WHERE d.id IN {_GONE} GROUP BY 1, 2, 3, 4, 5, 6 {_ON_CONFLICT}"""
_UNCOUNT_BLOCKS = f"""UPDATE decision_block SET decisions = decisions - (
        SELECT count(*) FROM decision_row AS d WHERE coalesce(d.block, 0) = decision_block.block AND d.id IN {_GONE})
    WHERE block IN (SELECT coalesce(block, 0) FROM decision_row WHERE id IN {_GONE})"""
_NAMED_POLICIES = """SELECT policy_id FROM decision_shared AS s WHERE policy_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM decision_row AS d WHERE d.shared_id = s.id AND d.time_unix_nano >= :before)"""
_OLD_POLICIES = f"""id NOT IN ({_NAMED_POLICIES}) AND NOT EXISTS (
    SELECT 1 FROM policy_activation WHERE policy_id = policy_record.id AND time_unix_nano >= :before)"""
_OLD_FIRST_VERSION = """time_unix_nano < :before AND NOT EXISTS (SELECT 1 FROM decision_row AS d
    WHERE d.policy_digest = policy_row.digest AND d.time_unix_nano >= :before)"""
_OLD_RECORDS = f"time_unix_nano > 0 AND time_unix_nano < :before AND type <> '{PRUNING}'"
_UNNAMED = (
    "DELETE FROM finding_count WHERE count <= 0",
    "DELETE FROM clause_hour WHERE count <= 0",
    "DELETE FROM decision_hour WHERE decisions <= 0",
    "DELETE FROM decision_block WHERE decisions <= 0",
    "DELETE FROM decision_shared WHERE id NOT IN (SELECT shared_id FROM decision_row WHERE shared_id IS NOT NULL)",
    "DELETE FROM span_shared WHERE id NOT IN (SELECT shared_id FROM span_row WHERE shared_id IS NOT NULL)",
    """DELETE FROM resource WHERE id NOT IN (SELECT resource_id FROM span_shared)
        AND id NOT IN (SELECT resource_id FROM span_row)""",
    "DELETE FROM policy_activation WHERE policy_id NOT IN (SELECT id FROM policy_record)",
    "DELETE FROM assessment WHERE policy_id NOT IN (SELECT id FROM policy_record)",
)


def preview_pruning(path: str | os.PathLike[str] | None, before_unix_nano: int, by: str) -> Pruning:
    """Return what `prune` would remove; the file is only read.

    Raises:
        SQLiteStoreError: the file is missing or empty, or another program wrote it.
    """
    with Reader(path) as reader:
        return reader.examine(lambda connection: _preview(connection, Pruning(before_unix_nano, by)))


def prune(path: str | os.PathLike[str] | None, before_unix_nano: int, by: str) -> Pruning:
    """Remove decisions and spans from before a time, and what nothing names any more; give the space back.

    Raises:
        SQLiteStoreError: as `preview_pruning`, or it cannot be written. What was removed by then is on record.
    """
    with Reader(path) as reader:
        database = reader.path
    pruning = Pruning(before_unix_nano, by, size_before_bytes=_size(database))
    store = Store(database)
    try:
        while _step(store, pruning, _remove_decisions):
            pass
        while _step(store, pruning, _remove_spans):
            pass
        _step(store, pruning, _remove_unnamed)
    finally:
        store.close()
    try:
        _give_back(database)
    except SQLiteStoreError as error:
        pruning.problem = str(error)
    pruning.size_after_bytes = _size(database)
    return pruning


def _step(store: Store, pruning: Pruning, remove: Any) -> bool:
    """Run one transaction, counted in ``pruning``; return whether it removed as much as it may at once."""
    found: list[Pruning] = []

    def work(connection: sqlite3.Connection) -> None:
        step = Pruning(pruning.before_unix_nano, pruning.by)
        remove(connection, step)
        found[:] = [step]
        if step.removed:
            total = Pruning(**{name: getattr(pruning, name) for name in ("before_unix_nano", "by", "id")})
            for each in (pruning, step):
                total.removed.update(each.removed)
                total.add_times(each.first_unix_nano, each.last_unix_nano)
            record = total.to_record(time.time_ns())
            row = (pruning.id, PRUNING, record["time_unix_nano"], encode(record))
            connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)", row)

    store.write(work, _PATIENCE_S)
    (step,) = found
    pruning.removed.update(step.removed)
    pruning.add_times(step.first_unix_nano, step.last_unix_nano)
    pruning.kept_policies = step.kept_policies
    return max(step.removed["decision"], step.removed["span"]) == _ROWS_AT_ONCE


def _remove_decisions(connection: sqlite3.Connection, step: Pruning) -> None:
    rows = connection.execute(
        "SELECT id, time_unix_nano FROM decision_row WHERE time_unix_nano < ? ORDER BY time_unix_nano LIMIT ?",
        (step.before_unix_nano, _ROWS_AT_ONCE),
    ).fetchall()
    if not rows:
        return
    gone = json.dumps([row[0] for row in rows])
    connection.execute(_UNCOUNT_REFERENCED, (gone,))
    connection.execute(_UNCOUNT_IN_FULL, (gone,))
    connection.execute(_UNCOUNT_BLOCKS, (gone, gone))
    step.removed["finding"] = connection.execute(
        f"DELETE FROM finding_row WHERE decision_id IN {_GONE}", (gone,)
    ).rowcount
    connection.execute(f"DELETE FROM late_finding WHERE decision_id IN {_GONE}", (gone,))
    step.removed["decision"] = connection.execute(f"DELETE FROM decision_row WHERE id IN {_GONE}", (gone,)).rowcount
    step.add_times(rows[0][1], rows[-1][1])


def _remove_spans(connection: sqlite3.Connection, step: Pruning) -> None:
    rows = connection.execute(
        "SELECT rowid, start_unix_nano FROM span_row WHERE start_unix_nano < ? ORDER BY start_unix_nano LIMIT ?",
        (step.before_unix_nano, _ROWS_AT_ONCE),
    ).fetchall()
    if rows:
        gone = json.dumps([row[0] for row in rows])
        step.removed["span"] = connection.execute(f"DELETE FROM span_row WHERE rowid IN {_GONE}", (gone,)).rowcount
        step.add_times(rows[0][1], rows[-1][1])


def _remove_unnamed(connection: sqlite3.Connection, step: Pruning) -> None:
    values = {"before": step.before_unix_nano}
    policies = connection.execute(f"DELETE FROM policy_record WHERE {_OLD_POLICIES}", values).rowcount
    policies += connection.execute(f"DELETE FROM policy_row WHERE {_OLD_FIRST_VERSION}", values).rowcount
    others = connection.execute(f"DELETE FROM record WHERE {_OLD_RECORDS}", values).rowcount
    for statement in _UNNAMED:
        connection.execute(statement)
    step.removed.update({kind: number for kind, number in (("policy", policies), ("record", others)) if number})
    step.kept_policies = _count(connection, "policy_record") + _count(connection, "policy_row")


def _preview(connection: sqlite3.Connection, pruning: Pruning) -> Pruning:
    before = {"before": pruning.before_unix_nano}
    for kind, table, column in (
        ("decision", "decision_row", "time_unix_nano"),
        ("finding", "finding_row", "time_unix_nano"),
        ("span", "span_row", "start_unix_nano"),
    ):
        asked = f"SELECT count(*), min({column}), max({column}) FROM {table} WHERE {column} < :before"
        number, first, last = connection.execute(asked, before).fetchone()
        pruning.removed[kind] = number
        pruning.add_times(first, last)
    pruning.removed["policy"] = _count(connection, f"policy_record WHERE {_OLD_POLICIES}", before)
    pruning.removed["policy"] += _count(connection, f"policy_row WHERE {_OLD_FIRST_VERSION}", before)
    pruning.removed["record"] = _count(connection, f"record WHERE {_OLD_RECORDS}", before)
    there = _count(connection, "policy_record") + _count(connection, "policy_row")
    pruning.kept_policies = there - pruning.removed["policy"]
    pruning.removed = +pruning.removed
    return pruning


def _count(connection: sqlite3.Connection, rows: str, values: dict[str, int] | None = None) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {rows}", values or {}).fetchone()[0])


def _give_back(path: Path) -> None:
    """Write the file anew without the space that nothing uses; writers wait meanwhile.

    Raises:
        SQLiteStoreError: others hold it locked for too long, or there is no room for the second file.
    """
    connection = sqlite3.Connection(path, timeout=_VACUUM_PATIENCE_S, isolation_level=None)
    try:
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except SQLITE_ERRORS as error:
        raise translate_error(path, error) from error
    finally:
        connection.close()


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in (path, Path(f"{path}-wal")) if each.exists())
