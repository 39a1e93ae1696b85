"""Approvals survive the death of either side: exactly what was approved runs, once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from approval_application import APPROVED, COUNT, DENIED
from backends import eventually

from specspan.approvals.approval_store import ApprovalStore

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "approval_application.py"


@contextmanager
def side(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Run one side, and end it with the block."""
    process = subprocess.Popen([sys.executable, str(PROGRAM), *words], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def effects(ran: Path) -> list[int]:
    """Return the numbers of what ran."""
    if not ran.exists():
        return []
    with closing(sqlite3.connect(ran, timeout=30)) as connection:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return [row[0] for row in connection.execute("SELECT number FROM ran")] if tables else []


@pytest.mark.thorough
def test_exactly_what_was_approved_runs_once_though_both_sides_are_killed(db: str, tmp_path: Path) -> None:
    """Of 200 that wait at once half is approved, a quarter denied and a quarter expires; kill -9 of either side."""
    ran, store = tmp_path / "ran.db", ApprovalStore(db)
    with side("ask", db, str(ran)) as asker:
        eventually(lambda: len(store.list(limit=COUNT).approvals) == COUNT, 60, "everything to be asked for")
        with side("settle", db) as person:
            assert person.stdout is not None
            for _ in range(40):
                person.stdout.readline()
            person.kill()
        with side("settle", db) as person:
            eventually(lambda: len(effects(ran)) > 20, 60, "something to run")
            asker.kill()
            assert person.communicate(timeout=120) is not None
            assert person.returncode == 0
    with side("ask", db, str(ran)) as asker:
        assert asker.wait(120) == 0
    assert sorted(effects(ran)) == list(range(APPROVED))
    states = Counter(each.state.value for each in store.list(limit=COUNT).approvals)
    assert states == {"done": APPROVED, "denied": DENIED - APPROVED, "expired": COUNT - DENIED}
