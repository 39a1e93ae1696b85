"""A real Jaeger under the configuration beside this folder, and a real application whose spans are in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import eventually, free_port, program, served
from jaeger_server import Jaeger, Traffic

CONFIGURATION = Path(__file__).resolve().parents[1] / "jaeger.yaml"
APPLICATION = Path(__file__).with_name("application.py")
PATIENCE_S = 15.0


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
    service, db = f"desk-{worker_id}", tmp_path_factory.mktemp("traffic") / "specspan.db"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "SPECSPAN_"))}
    variables = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{jaeger.otlp}/v1/traces",
        "SPECSPAN_DB": str(db),
        "SPECSPAN_RAISE_INTERNAL_ERRORS": "1",
    }
    traces: dict[str, str] = {}
    for version in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, str(APPLICATION), service, version],
            env={**inherited, **variables}, cwd=db.parent, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        traces |= json.loads(ran.stdout)
    eventually(lambda: set(traces.values()) <= jaeger.search(service), PATIENCE_S, "the spans to arrive")
    return Traffic(service, db, traces)
