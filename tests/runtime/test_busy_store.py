"""The default store while others hold its file: what is recorded waits for it and arrives."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

import specspan
from specspan._support import drop_counts
from specspan.record import export
from specspan.runtime import configuration
from specspan.sqlite import SQLiteDecisionExporter, SQLiteSpanExporter
from specspan.sqlite.store import Store

POLICY = """spec: spec.md
mode: observe
clauses:
  keep_secrets: {checks: [{pattern: {stage: output, any: [secret]}}]}
"""
SPEC = "# Spec {#spec}\n\n## Clause {#keep_secrets authority=user}\n\nKeep secrets.\n"

PROGRAM = """
import json, sys
import specspan
from specspan._support import drop_counts

@specspan.observe(model="parrot", provider="local")
def ask(prompt):
    return prompt

specspan.configure("policy.yaml", db="found.db")
for number in range(int(sys.argv[1])):
    ask("hello")
assert specspan.force_flush(60)
specspan.shutdown()
print(json.dumps([[*key, count] for key, count in drop_counts.totals().items()]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a policy."""
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "spec.md").write_text(SPEC, encoding="utf-8")
    return tmp_path


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Somebody else holds the write lock."""
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def count(database: Path, table: str) -> int:
    with closing(sqlite3.connect(database)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@specspan.observe(model="parrot", provider="local")
def ask(prompt: str) -> str:
    return prompt


def test_what_is_recorded_while_the_file_is_locked_arrives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More calls than OpenTelemetry's processor holds, and attempts beyond all retries: none is dropped."""
    database = folder / "found.db"
    waiting = threading.Semaphore(0)
    write = Store.write

    def observed(store: Store, *arguments: object) -> None:
        try:
            write(store, *arguments)  # type: ignore[arg-type]
        except Exception:
            waiting.release()
            raise

    monkeypatch.setattr(Store, "write", observed)
    monkeypatch.setattr(export, "_TEMPORARY_DELAY_S", 0.001)
    for exporter in (SQLiteSpanExporter, SQLiteDecisionExporter):
        defaults: Any = exporter.__init__.__kwdefaults__
        monkeypatch.setitem(defaults, "patience_s", 0.0)
    before = drop_counts.totals()
    specspan.configure(folder / "policy.yaml", db=database)
    ask("first")
    assert specspan.force_flush(10)
    with locked(database):
        for _ in range(3_000):
            ask("hello")
        for _ in range(20):
            assert waiting.acquire(timeout=20)
        assert not specspan.force_flush(0.01)
    assert specspan.force_flush(30)
    specspan.shutdown()

    assert (count(database, "span"), count(database, "decision")) == (3_001, 3_001)
    assert drop_counts.totals() == before


def test_what_a_shutdown_gives_up_is_counted_when_it_returns(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Handed over = written + dropped, of spans and of decisions; the record of the policy is neither."""
    lost: Counter[tuple[str, str]] = Counter()
    stop = drop_counts.watch(lambda what, reason, count: lost.update({(what, reason): count}))
    monkeypatch.setattr(configuration, "SHUTDOWN_S", 0.4)
    specspan.configure(folder / "policy.yaml", db=folder / "found.db")
    ask("first")
    assert specspan.force_flush(10)
    specspan.configure(folder / "policy.yaml", mode="enforce", db=folder / "found.db")
    with locked(folder / "found.db"):
        for _ in range(700):
            ask("hello")
        specspan.shutdown()
        at_return = lost.copy()
    stop()

    assert at_return == {("span", "shutdown"): 700, ("decision", "shutdown"): 700, ("policy", "shutdown"): 1}


@pytest.mark.thorough
def test_processes_at_full_speed_share_one_file(folder: Path) -> None:
    """Four processes write spans and decisions as fast as they can: all of them arrive, and nobody complains."""
    command = [sys.executable, "-c", PROGRAM, "500"]
    processes = [
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    printed = [process.communicate(timeout=120) for process in processes]

    assert [(json.loads(out), err) for out, err in printed] == [([], "")] * 4
    assert (count(folder / "found.db", "span"), count(folder / "found.db", "decision")) == (2_000, 2_000)
