"""Fixtures of a store of each kind: a file for every test, and databases of one real server a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import Postgres, postgres


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Start one server for all tests of a folder."""
    with postgres() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store in which nothing is recorded yet."""
    if request.param == "sqlite":
        return str(tmp_path / "desk.db")
    server: Postgres = request.getfixturevalue("server")
    return server.new_database()
