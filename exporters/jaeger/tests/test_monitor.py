"""What the UI's page Monitor asks of a real Jaeger that reads a real Prometheus."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from backends import eventually, fetch, free_port, program
from jaeger_server import Jaeger, jaeger_in
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import SpanKind
from prometheus_server import prometheus

MONITOR = Path(__file__).resolve().parents[1] / "monitor.yaml"
PATIENCE_S = 30.0


@pytest.fixture
def jaeger(tmp_path: Path) -> Iterator[Jaeger]:
    """One that reads the Prometheus that scrapes it."""
    program("prometheus")  # skip before anything starts
    port = free_port()
    endpoint = "extensions.jaeger_storage.metric_backends.prometheus.prometheus.endpoint"
    with jaeger_in(tmp_path, "--config", str(MONITOR), f"--set={endpoint}=http://127.0.0.1:{port}") as running:
        target = running.metrics.removeprefix("http://").removesuffix("/metrics")
        scraping = {
            "global": {"scrape_interval": "200ms"},
            "scrape_configs": [{"job_name": "jaeger", "static_configs": [{"targets": [target]}]}],
        }
        with prometheus(tmp_path, scraping, port=port):
            yield running


def shown(jaeger: Jaeger, what: str) -> dict[str, list[float]]:
    """What the page draws of the service, by operation; no points where there is nothing to draw."""
    asked: dict[str, Any] = {"service": "desk", "groupByOperation": "true", "quantile": 0.95, "spanKind": "client"}
    span = {"endTs": int(time.time() * 1000), "lookback": 60_000, "ratePer": 600_000, "step": 1_000}
    found = json.loads(fetch(f"{jaeger.ui}/api/metrics/{what}?{urlencode(asked | span)}"))
    drawn = {}
    for metric in found.get("metrics") or ():
        (operation,) = [label["value"] for label in metric["labels"] if label["name"] == "operation"]
        values = [point["gaugeValue"].get("doubleValue") for point in metric["metricPoints"]]
        drawn[operation] = [float(each) for each in values if isinstance(each, int | float)]
    return drawn


@pytest.mark.parametrize("what", ["calls", "latencies"])
def test_the_page_monitor_has_what_it_draws(jaeger: Jaeger, what: str) -> None:
    """The rate of calls and their durations, by operation."""
    provider = TracerProvider(resource=Resource.create({"service.name": "desk"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{jaeger.otlp}/v1/traces")))

    def called() -> bool:
        provider.get_tracer("desk").start_span("chat parrot", kind=SpanKind.CLIENT).end()
        return any(value > 0 for value in shown(jaeger, what).get("chat parrot", ()))

    eventually(called, PATIENCE_S, f"{what} of the operation")
    provider.shutdown()
