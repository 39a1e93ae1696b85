"""Backends of the example: those that `make backends` installed are started on loopback and queried."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from processes import ProcessGroup

from specspan.sqlite import StoredSpan

EXPORTERS = Path(__file__).resolve().parents[2] / "exporters"
READY_S = 30.0
DECISION_WAIT = "5s"
"""Time from a trace's first span to the Collector's decision: longer than the whole trace takes."""
DECISIONS = "last_over_time(specspan_decisions_total[1h])"  # also when the services have ended
SERVICES = ("tools", "agent", "gateway")  # as they are started: each needs those before it


class BackendAbsent(Exception):
    """Absence of a backend; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class StoredTrace:
    """Trace as SQLite holds it, which each backend is compared with."""

    trace_id: str
    spans: Sequence[StoredSpan]
    decisions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Backend:
    """Backend that is running."""

    address: str
    receives: str
    """Telemetry that the backend receives, and its use."""
    find_trace: Callable[[StoredTrace], str | None]
    """Function that describes what has arrived of a trace; None while something is missing."""
    page: str
    """Address of its page, with ``{trace_id}`` and ``{span_id}`` for one trace; empty without a page."""
    grpc: str = ""
    """Address for OTLP over gRPC."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Variables of every service, which make it send there."""
    service_variables: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Variables of single services."""
    has_fetched_since: Callable[[float], bool] = lambda _since_unix_s: True
    """Function that says whether a backend that scrapes has fetched everything from before a time."""


def jaeger(processes: ProcessGroup, folder: Path, _started: Mapping[str, Backend]) -> Backend:
    """Start Jaeger for traces, with the configuration in `exporters/jaeger`."""
    program = _program("jaeger")
    ui, otlp, health, *rest = (f"127.0.0.1:{_free_port()}" for _ in range(6))
    settings = {
        "extensions.jaeger_query.http.endpoint": ui,
        "receivers.otlp.protocols.http.endpoint": otlp,
        "extensions.healthcheckv2.http.endpoint": health,
        "extensions.jaeger_query.grpc.endpoint": rest[0],
        "receivers.otlp.protocols.grpc.endpoint": rest[1],
        "exporters.prometheus.endpoint": rest[2],
    }
    files = program.parents[1] / "ui"
    if files.is_dir():
        settings["extensions.jaeger_query.ui.assets_path"] = str(files)
    command: list[str | Path] = [program, "--config", EXPORTERS / "jaeger" / "jaeger.yaml"]
    command += [f"--set={key}={value}" for key, value in settings.items()]
    processes.start_server("Jaeger", command, folder / "jaeger.log")
    processes.wait_for(lambda: _answers(f"http://{health}/status"), READY_S)

    def find_trace(stored: StoredTrace) -> str | None:
        traces = (_json(f"http://{ui}/api/traces/{stored.trace_id}") or {}).get("data") or [{"spans": []}]
        spans = {span["spanID"] for span in traces[0]["spans"]}
        return f"all {len(spans)} spans" if spans >= {span.span_id for span in stored.spans} else None

    return Backend(
        f"http://{ui}",
        "spans",
        find_trace,
        page=f"http://{ui}/trace/{{trace_id}}?uiFind={{span_id}}",
        grpc=rest[1],
        variables={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{otlp}/v1/traces"},
    )


def collector(processes: ProcessGroup, folder: Path, started: Mapping[str, Backend]) -> Backend:
    """Start a Collector that samples traces on their way to Jaeger, with the configuration in `exporters/otlp`."""
    program = _program("otelcol", "collector")
    if "Jaeger" not in started:
        raise BackendAbsent("make backends, for a Jaeger that it can pass traces on to")
    http, grpc, health = (f"127.0.0.1:{_free_port()}" for _ in range(3))
    configuration = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}},
        "processors": {"tail_sampling": {"decision_wait": DECISION_WAIT}},
        "exporters": {"otlp_grpc": {"endpoint": started["Jaeger"].grpc, "tls": {"insecure": True}}},
        "extensions": {"health_check": {"endpoint": health}},
        "service": {"extensions": ["health_check"], "telemetry": {"metrics": {"level": "none"}}},
    }
    (folder / "collector.yaml").write_text(json.dumps(configuration))
    shipped = EXPORTERS / "otlp" / "tail-sampling.yaml"
    processes.start_server(
        "Collector", [program, "--config", shipped, "--config", folder / "collector.yaml"], folder / "otelcol.log"
    )
    processes.wait_for(lambda: _answers(f"http://{health}/"), READY_S)

    def find_trace(stored: StoredTrace) -> str | None:
        arrived = started["Jaeger"].find_trace(stored)
        return arrived and f"kept the trace whole: {arrived} passed on"

    return Backend(
        f"http://{http}",
        "spans, and passes on what is worth keeping",
        find_trace,
        page="",
        variables={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{http}/v1/traces"},
    )


def prometheus(processes: ProcessGroup, folder: Path, _started: Mapping[str, Backend]) -> Backend:
    """Start Prometheus, which scrapes metrics from every service."""
    program = _program("prometheus")
    _require_module("opentelemetry.exporter.prometheus", "opentelemetry-exporter-prometheus")
    port, scrapes = _free_port(), {service: _free_port() for service in SERVICES}
    jobs = [
        {"job_name": service, "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}
        for service, scraped in scrapes.items()
    ]
    configuration = {"global": {"scrape_interval": "500ms"}, "scrape_configs": jobs}
    (folder / "prometheus.yaml").write_text(json.dumps(configuration))  # JSON is YAML
    command: list[str | Path] = [
        program,
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/prometheus",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    address = f"http://127.0.0.1:{port}"
    processes.start_server("Prometheus", command, folder / "prometheus.log")
    processes.wait_for(lambda: _answers(f"{address}/-/ready"), READY_S)

    def url_of(query: str) -> str:
        return f"{address}/api/v1/query?{urlencode({'query': query})}"

    def run_query(query: str) -> list[dict[str, Any]]:
        answer = _json(url_of(query))
        return list(answer["data"]["result"]) if answer else []

    def has_fetched_since(since_unix_s: float) -> bool:
        fetched = [float(each["value"][1]) for each in run_query("timestamp(up) and up == 1")]
        return len(fetched) == len(SERVICES) and min(fetched) > since_unix_s

    def find_trace(stored: StoredTrace) -> str | None:
        counted = sum(int(each["value"][1]) for each in run_query(DECISIONS))
        return f"all {counted} decisions" if counted == len(stored.decisions) else None

    return Backend(
        address,
        "metrics",
        find_trace,
        page=url_of(DECISIONS),
        variables={"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1"},
        service_variables={
            service: {"OTEL_EXPORTER_PROMETHEUS_PORT": str(scraped)} for service, scraped in scrapes.items()
        },
        has_fetched_since=has_fetched_since,
    )


def alertmanager(processes: ProcessGroup, folder: Path, _started: Mapping[str, Backend]) -> Backend:
    """Start Alertmanager, to which the services send alerts."""
    program = _program("alertmanager")
    _require_module("specspan_exporter_alerts", "specspan-exporter-alerts")
    routes = {"route": {"receiver": "page"}, "receivers": [{"name": "page"}]}
    (folder / "alertmanager.yaml").write_text(json.dumps(routes))
    address = f"http://127.0.0.1:{_free_port()}"
    command: list[str | Path] = [
        program,
        f"--config.file={folder}/alertmanager.yaml",
        f"--storage.path={folder}/alertmanager",
        f"--web.listen-address={address.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    processes.start_server("Alertmanager", command, folder / "alertmanager.log")
    processes.wait_for(lambda: _answers(f"{address}/-/ready"), READY_S)

    def find_trace(stored: StoredTrace) -> str | None:
        sent = {
            (alert["labels"]["service"], alert["labels"]["clause"])
            for alert in _json(f"{address}/api/v2/alerts") or []
            if alert["annotations"]["trace_id"] == stored.trace_id
        }
        wanted = {
            (decision["service"]["name"], finding["clause"])
            for decision in stored.decisions
            for finding in decision["findings"]
            if finding["outcome"] == "violated"
        }
        return ", ".join(f"{clause} ({service})" for service, clause in sorted(sent)) if sent == wanted else None

    variables = {"SPECSPAN_DECISION_EXPORTER": "sqlite,alertmanager", "SPECSPAN_ALERTMANAGER_URL": address}
    return Backend(address, "alerts", find_trace, page=f"{address}/api/v2/alerts", variables=variables)


ALL: Mapping[str, Callable[[ProcessGroup, Path, Mapping[str, Backend]], Backend]] = {
    "Jaeger": jaeger,
    "Collector": collector,  # after Jaeger, whose place it takes where services send their spans
    "Prometheus": prometheus,
    "Alertmanager": alertmanager,
}


def _program(name: str, backend: str | None = None) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "specspan-backends"
    installed = sorted(cache.glob(f"{backend or name}-*/bin/{name}"))
    program = installed[-1] if installed else shutil.which(name)
    if program is None:
        raise BackendAbsent("make backends")
    return Path(program)


def _require_module(module: str, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise BackendAbsent(f"pip install {package}")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _answers(url: str) -> bool | None:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return None


def _json(url: str) -> Any:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None
