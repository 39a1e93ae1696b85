"""A real Jaeger under the configuration beside this folder, and a real application whose spans are in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import free_port, program, served
from desk import Traffic, make_traffic
from jaeger_server import Jaeger

CONFIGURATION = Path(__file__).resolve().parents[1] / "jaeger.yaml"


@pytest.fixture(scope="session")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    """The server, its configuration changed in nothing but ports, the UI's files and how often metrics are made."""
    server = program("jaeger")
    ports = [free_port() for _ in range(6)]
    at = [f"127.0.0.1:{port}" for port in ports]
    ui, otlp, metrics, health, *_ = at
    settings = {
        "extensions.jaeger_query.http.endpoint": ui,
        "receivers.otlp.protocols.http.endpoint": otlp,
        "exporters.prometheus.endpoint": metrics,
        "extensions.healthcheckv2.http.endpoint": health,
        "extensions.jaeger_query.grpc.endpoint": at[4],
        "receivers.otlp.protocols.grpc.endpoint": at[5],
        "connectors.spanmetrics.metrics_flush_interval": "200ms",
    }
    files = server.parents[1] / "ui"
    if files.is_dir():
        settings["extensions.jaeger_query.ui.assets_path"] = str(files)
    command = [
        str(server),
        "--config",
        str(CONFIGURATION),
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]
    with served(command, f"http://{health}/status", tmp_path_factory.mktemp("jaeger") / "log"):
        yield Jaeger(f"http://{ui}", f"http://{otlp}", f"http://{metrics}/metrics")


@pytest.fixture(scope="session")
def traffic(jaeger: Jaeger, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Traffic:
    """A process that makes decided calls under two versions of a spec, its spans and decisions in Jaeger and SQLite."""
    service = f"desk-{worker_id}"
    folder = tmp_path_factory.mktemp("traffic")
    return make_traffic(service, f"{jaeger.otlp}/v1/traces", folder, lambda: jaeger.search(service))
