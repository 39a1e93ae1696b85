"""Processes, forks and threads that write to one file: nothing is lost, and each has its turn."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlite_files import count, locked

from specspan_exporter_sqlite import Reader, SQLiteDecisionExporter, SQLiteSpanExporter, store
from specspan_exporter_sqlite.errors import BusyFile
from specspan_exporter_sqlite.store import Store, shared_store

Make = Callable[..., dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]

WRITER = """
import sys
from specspan_exporter_sqlite import SQLiteDecisionExporter
database, name, batches, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
exporter = SQLiteDecisionExporter(database, patience_s=30)
print("ready", flush=True)
if len(sys.argv) > 5:
    sys.stdin.readline()
for batch in range(batches):
    exporter.export([
        {"v": 1, "type": "decision", "id": f"{name}-{batch}-{n}", "time_unix_nano": 1, "verdict": "violated",
         "findings": [{"clause": "c", "outcome": "violated"}]}
        for n in range(size)
    ])
    print(batch, flush=True)
exporter.shutdown()
"""


def start(*arguments: object) -> subprocess.Popen[str]:
    """The writer above, in a process of its own."""
    command = [sys.executable, "-c", WRITER, *map(str, arguments)]
    stdin = subprocess.PIPE if "wait" in arguments else None
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, text=True)


def test_processes_write_at_once_and_nothing_is_lost(database: Path) -> None:
    """Three processes that also create the file together: every record is there once, with its finding."""
    writers = [start(database, name, 100, 5) for name in "abc"]
    for writer in writers:
        writer.communicate(timeout=120)

    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert count(database, "decision") == 3 * 100 * 5
    assert count(database, "finding") == 3 * 100 * 5


HOLDER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.mark.thorough
def test_eight_processes_take_turns_and_outlive_who_held_the_lock(database: Path) -> None:
    """Nobody starves: while all write, each writes a fair part; and a killed holder stops none."""
    SQLiteDecisionExporter(database).export([])
    batches, size = 100, 5
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    writers = {name: start(database, name, batches, size, "wait") for name in "abcdefgh"}
    for each in (holder, *writers.values()):
        assert each.stdout is not None
        assert each.stdout.readline() in ("locked\n", "ready\n")
    for each in writers.values():
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    holder.kill()
    holder.communicate(timeout=60)
    for each in writers.values():
        each.communicate(timeout=120)

    assert [each.returncode for each in writers.values()] == [0] * len(writers)
    connection = sqlite3.connect(database)
    order = [name for (name,) in connection.execute("SELECT substr(id, 1, 1) FROM decision_row ORDER BY rowid")]
    connection.close()
    assert {name: order.count(name) for name in writers} == dict.fromkeys(writers, batches * size)
    all_began = max(order.index(name) for name in writers)
    first_is_done = min(len(order) - order[::-1].index(name) for name in writers)
    together = order[all_began:first_is_done]
    written = {name: together.count(name) for name in writers}
    assert len(together) >= batches * size
    assert min(written.values()) >= len(together) / len(writers) / 4, written


def test_a_killed_writer_leaves_whole_batches(database: Path) -> None:
    """After a kill in the middle of writing, the file is sound and holds whole batches, every reported one of them."""
    writer = start(database, "a", 1_000_000, 50)
    assert writer.stdout is not None
    reported = [writer.stdout.readline() for _ in range(20)]
    os.kill(writer.pid, signal.SIGKILL)
    reported += writer.stdout.readlines()
    writer.wait(timeout=60)
    writer.stdout.close()

    connection = sqlite3.connect(database)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    written = count(database, "decision")
    assert written % 50 == 0
    assert written >= 50 * (len([line for line in reported if line.strip().isdigit() and line.endswith("\n")]))
    assert count(database, "finding") == written
    SQLiteDecisionExporter(database).export([{"v": 1, "type": "decision", "id": "after", "time_unix_nano": 1}])
    assert count(database, "decision") == written + 1


@pytest.mark.thorough
def test_reading_goes_on_while_others_write(database: Path) -> None:
    """A reader sees whole batches while a writer is at work, and more of them later."""
    writer = start(database, "a", 1_000_000, 10)
    assert writer.stdout is not None
    try:
        while writer.stdout.readline() != "0\n":
            pass
        with Reader(database) as reader:
            first = len(reader.decision_ids("a", limit=-1))
            while int(writer.stdout.readline()) * 10 <= first:  # what it wrote before may still wait in the pipe
                pass
            second = len(reader.decision_ids("a", limit=-1))
    finally:
        writer.kill()
        writer.communicate()

    assert first % 10 == second % 10 == 0
    assert second > first >= 10


def test_an_exporter_may_be_used_on_both_sides_of_a_fork(database: Path, run_python: Run) -> None:
    """Parent and children go on writing with exporters that were in use before the fork; all of it arrives."""
    program = """
import os, sys
from specspan_exporter_sqlite import SQLiteDecisionExporter
def records(name):
    return [{"v": 1, "type": "decision", "id": f"{name}-{n}", "time_unix_nano": 1} for n in range(10)]
exporter = SQLiteDecisionExporter(sys.argv[1])
exporter.export(records("before"))
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        for batch in range(20):
            exporter.export(records(f"child-{child}-{batch}"))
        os._exit(0)
    children.append(pid)
for batch in range(20):
    exporter.export(records(f"parent-{batch}"))
print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
"""
    assert run_python(program, database).stdout.strip() == "[0, 0, 0]"
    assert count(database, "decision") == 10 + 4 * 20 * 10
    assert sqlite3.connect(database).execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.thorough
def test_no_connection_crosses_a_fork(database: Path, run_python: Run) -> None:
    """The child starts without the parent's open file, whose locks it does not have."""
    program = """
import os, sys
from specspan_exporter_sqlite import SQLiteDecisionExporter
exporter = SQLiteDecisionExporter(sys.argv[1])
exporter.export([{"v": 1, "type": "decision", "id": "d", "time_unix_nano": 1}])
def open_files():
    return [n for n in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{n}")
            and os.readlink(f"/proc/self/fd/{n}").startswith(sys.argv[1])]
assert open_files()
pid = os.fork()
if pid == 0:
    os._exit(len(open_files()))
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    if not Path("/proc/self/fd").exists():
        pytest.skip("no /proc to look at open files in")
    assert run_python(program, database).stdout.strip() == "0"


def test_a_fork_in_the_middle_of_a_write_costs_the_child_its_exporter_only(database: Path, run_python: Run) -> None:
    """A child that is forked during a write refuses the inherited store; the parent's batch is written whole."""
    program = """
import os, sys, threading
from specspan_exporter_sqlite import store
store._FORK_PATIENCE_S = 0.05
mine = store.Store(sys.argv[1])
inside, go_on = threading.Event(), threading.Event()
def work(connection):
    connection.execute("INSERT INTO record VALUES ('a', '', 1, '')")
    inside.set()
    assert go_on.wait(30)
thread = threading.Thread(target=mine.write, args=(work,))
thread.start()
assert inside.wait(30)
import warnings
warnings.simplefilter("ignore")  # newer Pythons warn of forking with threads: that is what is tried here
pid = os.fork()
if pid == 0:
    try:
        mine.write(lambda connection: None)
    except store.SQLiteStoreError as error:
        os._exit(7 if "forked while" in str(error) else 1)
    os._exit(2)
go_on.set()
thread.join()
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert run_python(program, database).stdout.strip() == "7"
    assert count(database, "record") == 1


def test_threads_share_one_exporter(database: Path, record: Make) -> None:
    """Eight threads writing through one exporter lose nothing."""
    exporter = SQLiteDecisionExporter(database)

    def write(thread: int) -> None:
        for n in range(25):
            exporter.export([record(f"{thread}-{n}")])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    exporter.shutdown()

    assert count(database, "decision") == 8 * 25


def test_exporters_of_one_process_share_the_files_writer(database: Path, tmp_path: Path, record: Make) -> None:
    """Spans and decisions of one file never wait for one another in SQLite; closing one leaves the other at work."""
    spans, decisions = SQLiteSpanExporter(database), SQLiteDecisionExporter(database)
    assert shared_store(database) is shared_store(database)
    assert shared_store(database) is not shared_store(tmp_path / "other.db")
    decisions.export([record("first")])
    spans.shutdown()
    decisions.export([record("second")])
    assert count(database, "decision") == 2
    decisions.shutdown()


def test_waiting_keeps_the_connection(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that found the file locked costs no opening of the file, which writes and takes locks itself."""
    opened: list[Path] = []
    real = store._open

    def observed(path: Path) -> sqlite3.Connection:
        opened.append(path)
        return real(path)

    monkeypatch.setattr(store, "_open", observed)
    mine = Store(database)
    mine.write(lambda connection: None)
    with locked(database), pytest.raises(BusyFile):
        mine.write(lambda connection: None, patience_s=0.1)
    mine.write(lambda connection: None)
    mine.close()
    assert len(opened) == 1


def test_who_met_others_makes_way_after_each_batch(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer pauses for as long as its batch had the lock, once others were met; alone it never pauses."""
    pauses: list[float] = []
    mine = Store(database)
    mine.write(lambda connection: None)
    monkeypatch.setattr(time, "sleep", pauses.append)
    mine.write(lambda connection: None)
    assert pauses == []

    with locked(database), pytest.raises(BusyFile):
        mine.write(lambda connection: None, patience_s=0)
    mine._yields_until_s = time.monotonic() + 60  # as after a batch that took a minute
    mine.write(lambda connection: None)
    assert pauses == [store._MAX_YIELD_S]
    mine.close()
