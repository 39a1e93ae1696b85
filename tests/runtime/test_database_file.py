"""What `configure` can know to be wrong with its SQLite file, it says before anything is lost."""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

import pytest

import specspan
from specspan.errors import ConfigurationError
from specspan.stores.kinds import sqlite

pytestmark = pytest.mark.usefixtures("nothing_configured")


@specspan.observe(model="parrot-1")
def parrot(text: str) -> str:
    return text


def read_only(path: Path) -> None:
    sqlite3.connect(path).close()
    path.touch()
    path.chmod(0o444)


@pytest.mark.parametrize(
    ("db", "make", "says"),
    [
        ("absent/spans.db", lambda path: None, r"the folder '.*absent' does not exist\. Make it\."),
        ("folder.db", Path.mkdir, "it is a folder"),
        (
            "text.db",
            lambda path: path.write_text("no database, but long enough to be one" * 50),
            "another kind of file",
        ),
        pytest.param(
            "/proc/spans.db",
            lambda path: None,
            "it cannot be written",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's"),
        ),
        pytest.param(
            "read_only.db",
            read_only,
            "it is read-only",
            marks=pytest.mark.skipif(os.geteuid() == 0, reason="root may write what is read-only"),
        ),
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_a_file_that_cannot_be_written_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: str, make: object, says: str, by_variable: bool
) -> None:
    """The message names the file and what to do; nothing is created, and what was in force stays so."""
    assert callable(make)
    make(tmp_path / db)
    before = sorted(tmp_path.rglob("*"))
    if by_variable:
        monkeypatch.setenv("SPECSPAN_DB", db)
    with pytest.raises(ConfigurationError, match=says) as refused:
        specspan.configure(db=None if by_variable else db)
    assert repr(db) in str(refused.value)
    assert "SPECSPAN_DB" in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_that_is_not_used_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where everything goes elsewhere, a variable that was left over harms nobody."""
    monkeypatch.setenv("SPECSPAN_DB", "absent/spans.db")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    specspan.configure(decision_exporters=[])


def test_a_file_in_use_is_accepted_and_unharmed(tmp_path: Path) -> None:
    """A second `configure` on the file that the first one writes loses neither its locks nor its records."""
    specspan.configure(db="own.db")
    parrot("one")
    assert specspan.force_flush()
    other = sqlite3.connect(tmp_path / "own.db", isolation_level=None, timeout=0)
    other.execute("BEGIN IMMEDIATE")
    sqlite.check_address("own.db")
    other.execute("ROLLBACK")
    specspan.configure(db="own.db")
    parrot("two")
    specspan.shutdown()
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert other.execute("SELECT count(*) FROM span").fetchone() == (2,)
    other.close()


def test_an_empty_file_is_accepted(tmp_path: Path) -> None:
    """Whoever makes the file beforehand, with rights of their own, is not refused."""
    (tmp_path / "own.db").touch()
    specspan.configure(db="own.db")
