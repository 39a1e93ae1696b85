"""Every command that opens a store, with a store that cannot be used: one line, a remedy, exit code 2."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from specspan.sqlite.schema import VERSION

Run = Callable[..., Any]

COMMANDS = (
    ("traces", "list"),
    ("traces", "show"),
    ("decisions", "list", "--verdict", "violated"),
    ("decisions", "show", "0198"),
    ("traces", "list", "--follow"),
    ("decisions", "list", "--follow"),
    ("stats", "--by", "clause"),
    ("stats", "--json"),
    ("rates",),
    ("export", "-"),
    ("prune", "--older-than", "90d"),
    ("prune", "--older-than", "90d", "--dry-run"),
    ("prune", "--history"),
)


def truncate(path: Path) -> None:
    """Leave of a store what a disk that was full would."""
    path.write_bytes(path.read_bytes()[:3000])


def damage(path: Path) -> None:
    """Write nonsense over every page but the first."""
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    path.write_bytes(content)


def damage_schema(path: Path) -> None:
    """Write bytes into the definitions of tables that are no UTF-8: SQLite's message quotes them."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    path.write_bytes(path.read_bytes().replace(b"PRIMARY KEY", b"PRIMARY K\x83Y"))


def take_over(path: Path) -> None:
    """Have a newer version make the tables."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")


def replace_by_another(path: Path) -> None:
    """Have another program's database in its place."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (a)")


def replace_by(content: bytes) -> Callable[[Path], None]:
    """Have a file of some content in its place."""

    def spoil(path: Path) -> None:
        path.write_bytes(content)

    return spoil


def replace_by_folder(path: Path) -> None:
    """Have a folder in its place."""
    path.unlink()
    path.mkdir()


def replace_by_pipe(path: Path) -> None:
    """Have a pipe in its place, which nobody writes into."""
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(Path.unlink, "specspan demo", id="missing"),
        pytest.param(replace_by(b""), "specspan demo", id="empty"),
        pytest.param(replace_by(b"no database\n" * 500), "SPECSPAN_DB", id="text"),
        pytest.param(replace_by_another, "SPECSPAN_DB", id="foreign"),
        pytest.param(truncate, "SPECSPAN_DB|recover", id="truncated"),
        pytest.param(damage, "recover|SPECSPAN_DB", id="damaged"),
        pytest.param(damage_schema, "recover|SPECSPAN_DB", id="damaged schema"),
        pytest.param(take_over, "pip install -U", id="newer"),
        pytest.param(replace_by_folder, "SPECSPAN_DB", id="folder"),
        pytest.param(replace_by_pipe, "SPECSPAN_DB", id="pipe"),
    ],
)
def test_a_store_that_cannot_be_used(
    specspan: Run, recorded: Path, words: tuple[str, ...], spoil: Callable[[Path], None], says: str
) -> None:
    """What is wrong is said once, with what to do; nothing is printed besides, and nothing is made."""
    spoil(recorded)
    ran = specspan(*words, "--db", recorded)
    assert (ran.code, ran.out) == (2, "")
    assert any(word in ran.err for word in says.split("|")), ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.splitlines()) == 1
    assert {path.name for path in recorded.parent.iterdir()} <= {f"specspan.db{end}" for end in ("", "-wal", "-shm")}


def test_a_store_that_another_process_writes(specspan: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read all the same; who would change it waits for a while, and then says who may be the cause."""
    monkeypatch.setattr("specspan.sqlite.pruning._PATIENCE_S", 0.01)
    with closing(sqlite3.connect(recorded, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert specspan("stats", "--db", recorded).code == 0
        ran = specspan("prune", "--older-than", "90d", "--db", recorded)
    assert (ran.code, ran.out, "Another process" in ran.err) == (2, "", True), ran.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write what is read-only")
def test_what_is_read_only_is_read_and_not_pruned(specspan: Run, recorded: Path) -> None:
    """The remedy is to make it writable."""
    recorded.chmod(0o444)
    recorded.parent.chmod(0o555)
    try:
        assert specspan("stats", "--db", recorded).code == 0
        ran = specspan("prune", "--older-than", "90d", "--db", recorded)
    finally:
        recorded.parent.chmod(0o755)
    assert (ran.code, "writable" in ran.err) == (2, True), ran.err


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("mysql://me:geheim@host/db", "postgresql://"),
        ("sqlite://own.db", "sqlite:///"),
        ("sqlite:///", "sqlite:///"),
    ],
)
def test_an_address_that_names_no_store(specspan: Run, words: tuple[str, ...], address: str, says: str) -> None:
    """What can be written instead is said, and no password is."""
    ran = specspan(*words, "--db", address)
    assert (ran.code, ran.out, says in ran.err) == (2, "", True), ran.err
    assert "geheim" not in ran.err


@pytest.mark.parametrize("address", ["mysql://me:geheim@host/db", "sqlite:///", "absent/x.db"])
def test_what_cannot_be_written_is_refused_before_it_is(specspan: Run, tmp_path: Path, address: str) -> None:
    """By who imports, who demonstrates and who runs a program."""
    (tmp_path / "x.jsonl").write_text(json.dumps({"v": 1, "type": "decision", "id": "d"}))
    for words in (("import", tmp_path / "x.jsonl"), ("run", "--db", address, "--", "true"), ("demo",)):
        ran = specspan(*words, *(() if "run" in words else ("--db", address)))
        assert ran.code == 2
        assert "SPECSPAN_DB" in ran.err or "sqlite:///" in ran.err, ran.err
        assert "geheim" not in ran.err
