"""A store of approvals of each kind: a file for every test, and databases of one real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from postgres_server import Postgres, postgres


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs all tests with a server: it starts it once."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "postgres" in item.name:
            item.add_marker(pytest.mark.xdist_group("approval_postgres"))


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Start one server for all tests of this folder."""
    with postgres() as started:
        yield started


@pytest.fixture(params=["sqlite", "postgres"])
def db(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a store in which nothing is recorded yet."""
    if request.param == "sqlite":
        return str(tmp_path / "desk.db")
    server: Postgres = request.getfixturevalue("server")
    return server.new_database()
