"""Tables, and the migrations that create them.

``PRAGMA user_version`` counts the migrations a file has been through; ``PRAGMA application_id`` says that it is ours.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from . import decision_hours, late_rows, oversight_tables, references
from .errors import ForeignFile

APPLICATION_ID = 0x5350_5350
"""``SPSP``, as `file(1)` shows it."""

_SPANS_AND_DECISIONS = (
    """CREATE TABLE resource (
        id TEXT PRIMARY KEY,
        service TEXT,
        attributes TEXT NOT NULL
    ) WITHOUT ROWID""",
    """CREATE TABLE span (
        trace_id TEXT NOT NULL,
        span_id TEXT NOT NULL,
        parent_span_id TEXT,
        name TEXT NOT NULL,
        kind TEXT NOT NULL,
        start_unix_nano INTEGER NOT NULL,
        end_unix_nano INTEGER NOT NULL,
        status TEXT NOT NULL,
        status_message TEXT,
        service TEXT,
        verdict TEXT,
        action TEXT,
        decision_id TEXT,
        attributes TEXT NOT NULL,
        events TEXT NOT NULL,
        links TEXT NOT NULL,
        scope TEXT NOT NULL,
        resource_id TEXT NOT NULL,
        PRIMARY KEY (trace_id, span_id)
    )""",
    "CREATE INDEX span_start ON span (start_unix_nano, trace_id)",
    "CREATE INDEX span_verdict ON span (verdict, trace_id) WHERE verdict IS NOT NULL",
    """CREATE TABLE decision (
        id TEXT PRIMARY KEY,
        time_unix_nano INTEGER NOT NULL,
        trace_id TEXT,
        span_id TEXT,
        service TEXT,
        verdict TEXT,
        action TEXT,
        would TEXT,
        mode TEXT,
        governing_clause TEXT,
        reason TEXT,
        policy_digest TEXT,
        record TEXT NOT NULL
    )""",
    "CREATE INDEX decision_time ON decision (time_unix_nano)",
    "CREATE INDEX decision_trace ON decision (trace_id)",
    "CREATE INDEX decision_verdict ON decision (verdict, time_unix_nano, trace_id)",
    """CREATE VIEW trace_verdict AS
        SELECT trace_id, verdict FROM decision WHERE trace_id IS NOT NULL
        UNION ALL SELECT trace_id, verdict FROM span WHERE verdict IS NOT NULL""",
    """CREATE TABLE finding (
        decision_id TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        time_unix_nano INTEGER NOT NULL,
        clause TEXT NOT NULL,
        outcome TEXT NOT NULL,
        authority TEXT,
        severity TEXT,
        reason TEXT,
        score REAL,
        stage TEXT,
        check_name TEXT,
        check_kind TEXT,
        check_version TEXT,
        PRIMARY KEY (decision_id, ordinal)
    ) WITHOUT ROWID""",
    # Answers "violations by clause by hour" without touching the table.
    "CREATE INDEX finding_violated ON finding (clause, time_unix_nano, outcome) WHERE outcome = 'violated'",
    # The rare outcomes that people search for; the two common ones would make it as large as the table.
    """CREATE INDEX finding_notable ON finding (clause, outcome, decision_id)
        WHERE outcome NOT IN ('complied', 'not_applicable')""",
    """CREATE TABLE policy (
        id TEXT PRIMARY KEY,
        digest TEXT NOT NULL,
        time_unix_nano INTEGER NOT NULL,
        record TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX policy_digest ON policy (digest, time_unix_nano)",
    # Records of types and versions that have no table of their own, whole.
    """CREATE TABLE record (
        id TEXT PRIMARY KEY,
        type TEXT,
        time_unix_nano INTEGER,
        record TEXT NOT NULL
    ) WITHOUT ROWID""",
    f"PRAGMA application_id = {APPLICATION_ID}",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    _SPANS_AND_DECISIONS,
    references.STATEMENTS,
    late_rows.STATEMENTS,
    oversight_tables.STATEMENTS,
    decision_hours.STATEMENTS,
)
"""Statements that take a file from each version to the next; never changed once released, only added to."""

VERSION = len(MIGRATIONS)
WITH_OVERSIGHT = 4
"""First version with the tables of oversight."""
_DISTRIBUTION = __name__.partition(".")[0].replace("_", "-")  # specspan carries this module, too


def check(connection: sqlite3.Connection, path: Path, known: int = VERSION) -> int:
    """Return the version of a file, 0 for an empty one. The file is only read.

    Raises:
        ForeignFile: another program's database, or one of a version above the one ``known``.
    """
    found, application_id, tables = _read_identity(connection)
    ours = application_id == APPLICATION_ID
    empty = found == 0 and tables == 0
    if not (ours or empty):
        remedy = "Name another file with SPECSPAN_DB; this one is left as it is."
        raise ForeignFile(path, "this SQLite database belongs to another program", remedy)
    if found > known:
        problem = f"written by a newer version (schema {found}; this one knows {known})"
        raise ForeignFile(path, problem, f"Upgrade with `pip install -U {_DISTRIBUTION}`.")
    return found


def is_current(connection: sqlite3.Connection) -> bool:
    """Return whether a file has this version's tables; it is asked before every batch, and costs next to nothing."""
    return bool(connection.execute("PRAGMA user_version").fetchone()[0] == VERSION)


def _read_identity(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """Return version, application and number of tables at one moment, as another process may be making the file."""
    connection.execute("SAVEPOINT look")
    try:
        version, application_id, tables = (
            int(connection.execute(question).fetchone()[0])
            for question in ("PRAGMA user_version", "PRAGMA application_id", "SELECT count(*) FROM sqlite_master")
        )
    finally:
        if connection.in_transaction:  # an error of the disk has ended it
            connection.execute("RELEASE look")
    return version, application_id, tables


def migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Bring a file to the newest version, in one transaction; several processes may do so at once.

    Raises:
        ForeignFile: see `check`.
    """
    if check(connection, path, len(migrations)) == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        start = check(connection, path, len(migrations))  # again: another process may have been first
        for statement in (statement for migration in migrations[start:] for statement in migration):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
