"""A real Jaeger, under the configuration that users are given, as they ask it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from backends import fetch, free_port, program, served

CONFIGURATION = Path(__file__).resolve().parents[2] / "exporters/jaeger/jaeger.yaml"
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Jaeger:
    """Where one listens."""

    ui: str
    otlp: str
    metrics: str

    def search(self, service: str, **tags: str) -> set[str]:
        """Ids of the traces of the last hour with a span that has all these tags; as its UI asks."""
        now_us = time.time_ns() // 1_000
        asked = {"service": service, "tags": json.dumps(tags), "limit": 1000, "start": now_us - HOUR_US, "end": now_us}
        found = json.loads(fetch(f"{self.ui}/api/traces?{urlencode(asked)}"))
        return {trace["traceID"] for trace in found["data"]}

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace, as its query API v3 tells them: in the form of OTLP."""
        found = json.loads(fetch(f"{self.ui}/api/v3/traces/{trace_id}"))
        return [
            {**span, "resource": resource["resource"]}
            for resource in found["result"]["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


@contextmanager
def jaeger_in(folder: Path, *more: str) -> Iterator[Jaeger]:
    """The server, its configuration changed in nothing but ports, the UI's files and how often metrics are made.

    Args:
        folder: Where its log goes.
        more: Arguments besides, such as a further configuration.
    """
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
        *more,
        *(f"--set={key}={value}" for key, value in settings.items()),
    ]
    with served(command, f"http://{health}/status", folder / "jaeger.log"):
        yield Jaeger(f"http://{ui}", f"http://{otlp}", f"http://{metrics}/metrics")
