"""A real Jaeger under the configuration beside this folder, and a real application whose spans are in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import Traffic, make_traffic
from jaeger_server import Jaeger, jaeger_in


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """The server."""
    with jaeger_in(tmp_path_factory.mktemp("jaeger")) as running:
        yield running


@pytest.fixture(scope="session")
def traffic(jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Traffic:
    """A process that makes decided calls under two versions of a spec, its spans and decisions in Jaeger and SQLite."""
    service = f"desk-{worker_id}"
    folder = tmp_path_factory.mktemp("traffic")
    return make_traffic(service, f"{jaeger.otlp}/v1/traces", folder, lambda: jaeger.search(service))
