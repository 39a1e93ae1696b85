"""A server that all tests of this room share, a database for each, and things to write into it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Tracer
from postgres_server import Postgres, postgres
from unconfigured import unconfigured

from specspan_exporter_postgres import PostgresDecisionExporter, PostgresSpanExporter


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One worker runs them all: it starts the server once."""
    for item in items:
        if "server" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("postgres"))


@pytest.fixture(scope="session")
def server() -> Iterator[Postgres]:
    """Start one server for all tests of this folder."""
    with postgres() as started:
        yield started


@pytest.fixture
def url(server: Postgres) -> str:
    """The address of an empty database."""
    return server.new_database()


@pytest.fixture
def decisions(url: str) -> Iterator[PostgresDecisionExporter]:
    """The decision exporter on the test's database."""
    exporter = PostgresDecisionExporter(url)
    yield exporter
    exporter.shutdown()


@pytest.fixture
def tracer(url: str) -> Iterator[Tracer]:
    """A tracer of a real SDK whose spans are in the database as soon as they end."""
    provider = TracerProvider(resource=Resource({"service.name": "support-desk"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(PostgresSpanExporter(url)))
    yield provider.get_tracer("tests", "1.0")
    provider.shutdown()


@pytest.fixture
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, no variable is set, and the current directory is empty."""
    with unconfigured(monkeypatch, tmp_path):
        yield
