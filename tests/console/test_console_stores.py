"""Stores that cannot be read: the page says why and what to do, and goes on once it is mended."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from console_visits import Console

from specspan.sqlite import Reader
from specspan.sqlite.schema import VERSION

PAGES = ("/", "/traces", "/traces?verdict=violated", "/traces/x")


def test_a_store_that_is_not_there_yet(tmp_path: Path, demo_db: Path, open_on: Callable[..., Console]) -> None:
    """Pages say so; once something is recorded, they show it without a restart."""
    console = open_on(tmp_path / "later.db")
    for path in PAGES:
        words = console.text(path, 503)
        assert "Nothing is recorded yet" in words
        assert "specspan demo" in words
    shutil.move(demo_db, tmp_path / "later.db")
    assert "Model calls decided 9" in console.text("/")


def test_a_store_of_a_newer_version(demo_db: Path, open_on: Callable[..., Console]) -> None:
    """The page names the version and the upgrade."""
    with closing(sqlite3.connect(demo_db)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    for path in PAGES:
        words = open_on(demo_db).text(path, 503)
        assert f"written by a newer version (schema {VERSION + 1}; this one knows {VERSION})" in words


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough to be read as one" * 40])
def test_another_file(content: bytes, tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """An empty file has nothing in it; another kind of file is left as it is."""
    (tmp_path / "x.db").write_bytes(content)
    words = open_on(tmp_path / "x.db").text("/", 503)
    assert ("not a database" if content else "nothing was ever recorded") in words
    assert (tmp_path / "x.db").read_bytes() == content


def test_a_locked_store(demo_db: Path, open_on: Callable[..., Console]) -> None:
    """While another program holds the whole file, the page says so; afterwards it is shown."""
    with closing(sqlite3.connect(demo_db)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    console = open_on(demo_db)
    with locked(demo_db):
        assert "locked" in console.text("/", 503)
    assert "Model calls decided 9" in console.text("/")


@pytest.mark.thorough
def test_content_is_shown_only_where_the_view_is_recorded(demo_db: Path, open_on: Callable[..., Console]) -> None:
    """Who saw content must be on record: while nothing can be written, figures are shown and content is not."""
    with Reader(demo_db) as reader:
        trace_id = reader.traces()[0].trace_id
    console = open_on(demo_db)
    with locked(demo_db, "IMMEDIATE"):
        assert "Model calls decided 9" in console.text("/")
        words = console.text(f"/traces/{trace_id}", 503)
        assert "locked" in words
        assert "wick" not in words
    assert "wick" in console.text(f"/traces/{trace_id}")


@contextmanager
def locked(path: Path, how: str = "EXCLUSIVE") -> Iterator[None]:
    """Hold a file so that nobody can write it and, without a write-ahead log, nobody read it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"BEGIN {how}")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
