"""A file that is renamed, deleted or replaced while programs write it: each of them loses nothing and goes on."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from specspan_exporter_sqlite import Reader, SQLiteDecisionExporter, SQLiteStoreError
from specspan_exporter_sqlite.errors import BusyFile
from specspan_exporter_sqlite.schema import check

Make = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no file is moved there while it is open")

WRITER = """
import sys
from specspan_exporter_sqlite import SQLiteDecisionExporter
exporter = SQLiteDecisionExporter(sys.argv[1])
for line in sys.stdin:
    exporter.export([{"v": 1, "type": "decision", "id": line.strip(), "time_unix_nano": 1}])
    print("written", flush=True)
exporter.shutdown()
"""


class Writer:
    """Another process that writes the same file."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def write(self, decision_id: str) -> None:
        """Return once the decision was exported."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{decision_id}\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "written\n"


@contextmanager
def writer(database: Path) -> Iterator[Writer]:
    """Another process, which ends in order."""
    command = [sys.executable, "-c", WRITER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Writer(process)
        process.communicate(timeout=60)
    assert process.returncode == 0


def ids(database: Path) -> set[str]:
    """Decisions of a file, which is whole."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return {row[0] for row in connection.execute("SELECT id FROM decision")}


def test_a_renamed_file_keeps_everything_that_was_written(database: Path, record: Make) -> None:
    """As by `mv specspan.db old.db`, the log of which stays behind under the old name."""
    old = database.with_name("old.db")
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("before")])
    database.rename(old)
    exporter.export([record("after")])
    exporter.shutdown()

    assert ids(old) == {"before"}
    assert ids(database) == {"after"}


def test_a_file_that_was_renamed_last_thing_is_complete(database: Path, record: Make) -> None:
    old = database.with_name("old.db")
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("before")])
    database.rename(old)
    exporter.shutdown()

    assert ids(old) == {"before"}


def test_processes_that_share_a_renamed_file_meet_in_the_new_one(database: Path, record: Make) -> None:
    """Neither the index of the old file nor the end of a process that had it open harms the new one."""
    old = database.with_name("old.db")
    exporter = SQLiteDecisionExporter(database)
    with ExitStack() as stack:
        late = stack.enter_context(writer(database))
        with writer(database) as early:
            exporter.export([record("mine")])
            early.write("early")
            late.write("late")
            database.rename(old)
            exporter.export([record("mine, new")])
            early.write("early, new")
        exporter.export([record("mine, newer")])
        with writer(database) as newcomer:
            newcomer.write("newcomer")
        late.write("late, new")
    with Reader(database) as reader:
        assert len(reader.decisions()) == 5
    exporter.shutdown()

    assert ids(old) == {"mine", "early", "late"}
    assert ids(database) == {"mine, new", "early, new", "mine, newer", "newcomer", "late, new"}


def test_a_newcomer_makes_the_new_file_before_those_who_had_the_old_one(database: Path, record: Make) -> None:
    old = database.with_name("old.db")
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("mine")])
    database.rename(old)
    with writer(database) as newcomer:
        newcomer.write("newcomer")
        exporter.export([record("mine, new")])
        newcomer.write("newcomer again")
    exporter.shutdown()

    assert ids(old) == {"mine"}
    assert ids(database) == {"newcomer", "mine, new", "newcomer again"}


def test_a_file_that_takes_the_place_of_another_is_not_read_with_its_log(
    database: Path, tmp_path: Path, record: Make
) -> None:
    """As when a copy is restored beside a program that runs."""
    copy, old = tmp_path / "copy.db", tmp_path / "old.db"
    exporter = SQLiteDecisionExporter(database)
    exporter.export([record("kept")])
    exporter.shutdown()
    shutil.copy(database, copy)
    exporter.export([record(f"lost-{number}") for number in range(500)])
    database.rename(old)
    copy.rename(database)
    exporter.export([record("new")])
    exporter.shutdown()

    assert ids(database) == {"kept", "new"}
    assert len(ids(old)) == 501


def test_a_renamed_file_that_somebody_reads_is_waited_for(database: Path, record: Make) -> None:
    exporter = SQLiteDecisionExporter(database, patience_s=0)
    exporter.export([record("before")])
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM decision").fetchone()
        database.rename(database.with_name("old.db"))
        with pytest.raises(BusyFile):
            exporter.export([record("after")])
        other.execute("ROLLBACK")
    exporter.export([record("after")])
    exporter.shutdown()

    assert ids(database) == {"after"}


def test_a_folder_that_is_gone_for_a_while_costs_the_batches_of_that_while(tmp_path: Path, record: Make) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    exporter = SQLiteDecisionExporter(folder / "specspan.db")
    exporter.export([record("before")])
    folder.rename(tmp_path / "elsewhere")
    for _ in range(2):
        with pytest.raises(SQLiteStoreError, match="unable to open"):
            exporter.export([record("lost")])
    folder.mkdir()
    exporter.export([record("after")])
    exporter.shutdown()

    assert ids(folder / "specspan.db") == {"after"}
    assert ids(tmp_path / "elsewhere" / "specspan.db") == {"before"}


def test_an_error_of_the_disk_is_told_as_such(database: Path) -> None:
    """SQLite ends a transaction by itself where the disk fails, and then has no savepoint to go back to."""

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "PRAGMA user_version":
                super().execute("ROLLBACK")
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)

    with closing(Failing(database, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError, match=r"disk I/O error"):
            check(connection, database)
