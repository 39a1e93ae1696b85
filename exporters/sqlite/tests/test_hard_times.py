"""Locks, full disks, damage and files that are not ours: the file stays whole, the program unharmed."""

from __future__ import annotations

import logging
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from sqlite_files import count, locked

from specspan_exporter_sqlite import Reader, SQLiteDecisionExporter, SQLiteSpanExporter, SQLiteStoreError
from specspan_exporter_sqlite.errors import BusyFile, ForeignFile, MissingFile, translate_error
from specspan_exporter_sqlite.schema import MIGRATIONS, VERSION, migrate
from specspan_exporter_sqlite.store import Store

Make = Callable[..., dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]


def finished() -> ReadableSpan:
    """A span that ended."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span("work")
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def test_what_is_worth_another_attempt_says_so(database: Path, record: Make) -> None:
    """The errors of a locked file and of a full disk are temporary, that of another program's file is not."""
    exporter = SQLiteDecisionExporter(database, patience_s=0)
    exporter.export([record("first")])
    with locked(database), pytest.raises(BusyFile) as busy:
        exporter.export([record("second")])
    exporter.shutdown()
    foreign = ForeignFile(database, "another program's", "")
    full = translate_error(database, sqlite3.OperationalError("database or disk is full"))
    assert [error.is_temporary for error in (busy.value, full, foreign)] == [True, True, False]


def test_a_disk_that_refuses_is_named_with_what_may_refuse(database: Path) -> None:
    """A quota, or a limit of file sizes, is told by SQLite as an error of the disk; either may be raised in time."""
    error = translate_error(database, sqlite3.OperationalError("disk I/O error"))
    assert error.is_temporary
    assert "quotas and the limit of file sizes" in str(error)


def test_a_lock_held_too_long_fails_the_batch_and_the_next_succeeds(database: Path, record: Make) -> None:
    """Patience is bounded, and what could not be written is said, not lost in silence."""
    spans, decisions = SQLiteSpanExporter(database, patience_s=0.2), SQLiteDecisionExporter(database, patience_s=0.2)
    decisions.export([record("first")])
    with locked(database):
        with pytest.raises(BusyFile, match=r"specspan\.db.*locked"):
            decisions.export([record("second")])
        assert spans.export([finished()]) is SpanExportResult.FAILURE

    decisions.export([record("second")])
    assert spans.export([finished()]) is SpanExportResult.SUCCESS
    decisions.shutdown()
    spans.shutdown()
    assert count(database, "decision") == 2


def test_a_lock_that_is_given_up_in_time_costs_nothing(
    database: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that found the file locked is tried again, and is there once."""
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("first")])
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr("specspan_exporter_sqlite.store.time.sleep", lambda _: other.execute("ROLLBACK"))

    exporter.export([record("second")])
    exporter.shutdown()
    other.close()

    assert count(database, "decision") == 2


def test_a_reader_in_the_middle_of_reading_stops_no_writer(database: Path, record: Make) -> None:
    """Somebody who keeps a result open, or died with it open, is not waited for; what they see stays as it was."""
    exporter = SQLiteDecisionExporter(database, patience_s=0.2)
    exporter.export([record("first"), record("second")])
    reader = sqlite3.connect(database, isolation_level=None)
    reader.execute("BEGIN")
    before = reader.execute("SELECT count(*) FROM decision").fetchone()

    exporter.export([record("third")])

    assert reader.execute("SELECT count(*) FROM decision").fetchone() == before == (2,)
    reader.close()
    exporter.shutdown()
    assert count(database, "decision") == 3


def test_a_broken_file_is_a_failure_that_is_logged_once(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Spans that cannot be written cost the application one line of log, not one a batch."""
    database.write_bytes(b"this is no database at all, whatever its name says" * 50)
    exporter = SQLiteSpanExporter(database)

    with caplog.at_level(logging.ERROR):
        results = {exporter.export([finished()]) for _ in range(3)}

    assert results == {SpanExportResult.FAILURE}
    assert [("not a database" in line, "SPECSPAN_DB" in line) for line in caplog.messages] == [(True, True)]
    assert database.read_bytes().startswith(b"this is no database")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, record: Make) -> None:
    """No folder is made where nobody asked for one."""
    with pytest.raises(SQLiteStoreError, match=r"nowhere/specspan\.db: unable to open.*folder exists"):
        SQLiteDecisionExporter(tmp_path / "nowhere" / "specspan.db").export([record()])


def test_a_full_disk_fails_the_batch_and_keeps_what_was_there(database: Path, run_python: Run) -> None:
    """A batch fails with `SQLiteStoreError` where the file may not grow; earlier batches stay readable."""
    program = """
import resource, sys
from specspan_exporter_sqlite import SQLiteDecisionExporter, SQLiteStoreError
exporter = SQLiteDecisionExporter(sys.argv[1])
exporter.export([{"v": 1, "type": "decision", "id": "small", "time_unix_nano": 1}])
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
try:
    exporter.export([{"v": 1, "type": "decision", "id": f"big-{n}", "x": "x" * 10_000} for n in range(200)])
except SQLiteStoreError as error:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
"""
    try:
        import resource  # noqa: F401
    except ImportError:
        pytest.skip("no resource limits on this platform")
    assert "refused" in run_python(program, database).stdout
    assert sqlite3.connect(database).execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with Reader(database) as reader:
        assert [decision["id"] for decision in reader.decisions()] == ["small"]


def test_a_deleted_file_is_made_again(database: Path, record: Make) -> None:
    """After log rotation the exporter writes where people look, not into a file without a name."""
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("old")])
    for path in database.parent.glob("specspan.db*"):
        path.unlink()

    exporter.export([record("new")])
    exporter.shutdown()

    with Reader(database) as reader:
        assert [decision["id"] for decision in reader.decisions()] == ["new"]


def test_another_programs_database_is_left_alone(database: Path, record: Make) -> None:
    """A SQLite file with tables of its own is refused and stays byte for byte what it was."""
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.commit()
    connection.close()
    before = database.read_bytes()

    with pytest.raises(ForeignFile, match="belongs to another program"):
        SQLiteDecisionExporter(database).export([record()])
    with pytest.raises(ForeignFile, match="belongs to another program"):
        Reader(database)

    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == ["specspan.db"]


def test_a_newer_schema_is_refused(database: Path, record: Make) -> None:
    """A file of a later version is neither written nor read by guess."""
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("d-1")])
    exporter.shutdown()
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()

    with pytest.raises(ForeignFile, match=f"schema {VERSION + 1}; this one knows {VERSION}.*pip install -U"):
        SQLiteDecisionExporter(database).export([record("d-2")])
    with pytest.raises(ForeignFile, match="newer version"):
        Reader(database)


def test_a_file_that_a_newer_version_takes_over_is_left_to_it(database: Path, record: Make) -> None:
    """An older version of the library stops writing to a file that a newer one upgrades, though it has it open."""
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("d-1")])
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")

    for _ in range(2):
        with pytest.raises(ForeignFile, match=f"schema {VERSION + 1}; this one knows {VERSION}"):
            exporter.export([record("d-2")])

    assert connection.execute("SELECT id FROM decision_row").fetchall() == [("d-1",)]
    connection.close()
    exporter.shutdown()


def test_a_migration_that_fails_changes_nothing(database: Path, record: Make) -> None:
    """A file goes from version to version whole, or stays at the one it had."""
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("d-1")])
    exporter.shutdown()
    connection = sqlite3.connect(database, isolation_level=None)
    good, bad = ("CREATE TABLE review (id TEXT)",), ("CREATE TABLE more (id TEXT)", "NONSENSE")

    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, database, (*MIGRATIONS, good, bad))
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert tables.isdisjoint({"review", "more"})

    migrate(connection, database, (*MIGRATIONS, good))
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION + 1,)
    assert connection.execute("SELECT count(*) FROM review, decision").fetchone() == (0,)


@pytest.mark.parametrize(("content", "problem"), [(None, "no such file"), (b"", "nothing was ever recorded")])
def test_reading_what_is_not_there_makes_no_file(content: bytes | None, problem: str, database: Path) -> None:
    """A missing file and an empty one are told apart, and stay what they are."""
    if content is not None:
        database.write_bytes(content)

    with pytest.raises(MissingFile, match=problem):
        Reader(database)

    assert database.exists() == (content is not None)


def test_a_damaged_page_is_an_error_of_ours(database: Path, record: Make) -> None:
    """A file that is broken in the middle names itself when what is broken is read."""
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record(f"d-{n}") for n in range(500)])
    exporter.shutdown()
    content = bytearray(database.read_bytes())
    content[len(content) // 4 :] = b"\xff" * (len(content) - len(content) // 4)
    database.write_bytes(content)

    with pytest.raises(SQLiteStoreError, match=r"specspan\.db: .*"), Reader(database) as reader:
        reader.decisions()


def test_a_failed_batch_leaves_nothing_behind(database: Path) -> None:
    """The rows of a failed batch are rolled back, and the store takes the next batch."""
    store = Store(database)

    def fails(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO record VALUES ('a', '', 1, '')")
        raise KeyboardInterrupt

    def works(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO record VALUES ('b', '', 1, '')")

    with pytest.raises(KeyboardInterrupt):
        store.write(fails)
    store.write(works)
    store.close()

    assert sqlite3.connect(database).execute("SELECT id FROM record").fetchall() == [("b",)]
