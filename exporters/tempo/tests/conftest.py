"""A real Tempo under the configuration beside this folder, and a real application whose spans are in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import Traffic, make_traffic
from tempo_server import Tempo, tempo_in


@pytest.fixture(scope="session")
def tempo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tempo]:
    """The server."""
    with tempo_in(tmp_path_factory.mktemp("tempo")) as running:
        yield running


@pytest.fixture(scope="session")
def traffic(tempo: Tempo, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Traffic:
    """A process that makes decided calls under two versions of a spec, its spans and decisions in Tempo and SQLite."""
    service = f"desk-{worker_id}"
    everything = f'{{ resource.service.name = "{service}" }}'
    folder = tmp_path_factory.mktemp("traffic")
    return make_traffic(service, f"{tempo.otlp}/v1/traces", folder, lambda: tempo.search(everything))
