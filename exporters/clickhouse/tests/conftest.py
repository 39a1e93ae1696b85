"""A server that all tests of this room share, and a database for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clickhouse_server import ClickHouse, clickhouse
from collector_tables import Collector

from specspan_exporter_clickhouse.kind import init_store


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all: it starts the server once."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("clickhouse"))


@pytest.fixture(scope="session")
def server() -> Iterator[ClickHouse]:
    """Start one server for all tests of this folder."""
    with clickhouse() as started:
        yield started


@pytest.fixture
def empty_url(server: ClickHouse) -> str:
    """The address of an empty database."""
    return server.new_database()


@pytest.fixture(params=["map", "json"])
def form(request: pytest.FixtureRequest) -> str:
    """The form in which the Collector writes attributes."""
    return str(request.param)


@pytest.fixture
def url(empty_url: str, form: str) -> str:
    """The address of a database with the Collector's tables and ours."""
    Collector(empty_url, form)
    init_store(empty_url)
    return empty_url


@pytest.fixture
def collector(url: str, form: str) -> Collector:
    """A writer of the test's database, as a Collector is."""
    return Collector(url, form)
