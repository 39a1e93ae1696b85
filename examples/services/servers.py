"""The backends that are there: found where `make backends` puts them, started on loopback, asked what arrived."""

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

from crew import Crew

from specspan_exporter_sqlite import StoredSpan

EXPORTERS = Path(__file__).resolve().parents[2] / "exporters"
READY_S = 30.0
DECISION_WAIT = "5s"
"""From a trace's first span to the Collector's decision: longer than the whole trace takes."""
DECISIONS = "last_over_time(specspan_decisions_total[1h])"  # also when the services have ended
SERVICES = ("tools", "agent", "gateway")  # as they are started: each needs those before it


class Absent(Exception):
    """A backend that is not here, and how to get it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What SQLite holds of a trace: what every backend is compared with."""

    trace_id: str
    spans: Sequence[StoredSpan]
    decisions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Backend:
    """One that runs."""

    address: str
    takes: str
    """What comes to it, and to do what with."""
    holds: Callable[[Stored], str | None]
    """What has arrived of a trace; None while that is not all of it."""
    page: str
    """Where to look, with places for ``{trace_id}`` and ``{span_id}`` where it is about one trace; empty: nowhere."""
    grpc: str = ""
    """Where it takes OTLP over gRPC."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What every service is told, so that it arrives there."""
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What one service alone is told."""
    seen: Callable[[float], bool] = lambda _since_unix_s: True
    """Whether it has come for what happened before ``since_unix_s``, where it comes and fetches."""


def jaeger(crew: Crew, folder: Path, _started: Mapping[str, Backend]) -> Backend:
    """Traces, under the configuration of `exporters/jaeger`."""
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
    crew.server("Jaeger", command, folder / "jaeger.log")
    crew.until(lambda: _answers(f"http://{health}/status"), READY_S)

    def holds(stored: Stored) -> str | None:
        found = (_json(f"http://{ui}/api/traces/{stored.trace_id}") or {}).get("data") or [{"spans": []}]
        spans = {span["spanID"] for span in found[0]["spans"]}
        return f"all {len(spans)} spans" if spans >= {span.span_id for span in stored.spans} else None

    return Backend(
        f"http://{ui}",
        "spans",
        holds,
        page=f"http://{ui}/trace/{{trace_id}}?uiFind={{span_id}}",
        grpc=rest[1],
        variables={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{otlp}/v1/traces"},
    )


def collector(crew: Crew, folder: Path, started: Mapping[str, Backend]) -> Backend:
    """Tail sampling between the services and Jaeger, under the configuration of `exporters/otlp`."""
    program = _program("otelcol", "collector")
    if "Jaeger" not in started:
        raise Absent("make backends, for a Jaeger that it can pass traces on to")
    http, grpc, health = (f"127.0.0.1:{_free_port()}" for _ in range(3))
    here = {
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}},
        "processors": {"tail_sampling": {"decision_wait": DECISION_WAIT}},
        "exporters": {"otlp_grpc": {"endpoint": started["Jaeger"].grpc, "tls": {"insecure": True}}},
        "extensions": {"health_check": {"endpoint": health}},
        "service": {"extensions": ["health_check"], "telemetry": {"metrics": {"level": "none"}}},
    }
    (folder / "collector.yaml").write_text(json.dumps(here))
    shipped = EXPORTERS / "otlp" / "tail-sampling.yaml"
    crew.server(
        "Collector", [program, "--config", shipped, "--config", folder / "collector.yaml"], folder / "otelcol.log"
    )
    crew.until(lambda: _answers(f"http://{health}/"), READY_S)

    def holds(stored: Stored) -> str | None:
        arrived = started["Jaeger"].holds(stored)
        return arrived and f"kept the trace whole: {arrived} passed on"

    return Backend(
        f"http://{http}",
        "spans, and passes on what is worth keeping",
        holds,
        page="",
        variables={"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://{http}/v1/traces"},
    )


def prometheus(crew: Crew, folder: Path, _started: Mapping[str, Backend]) -> Backend:
    """Metrics, scraped from every service."""
    program = _program("prometheus")
    _needs("opentelemetry.exporter.prometheus", "opentelemetry-exporter-prometheus")
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
    crew.server("Prometheus", command, folder / "prometheus.log")
    crew.until(lambda: _answers(f"{address}/-/ready"), READY_S)

    def at(query: str) -> str:
        return f"{address}/api/v1/query?{urlencode({'query': query})}"

    def asked(query: str) -> list[dict[str, Any]]:
        answer = _json(at(query))
        return list(answer["data"]["result"]) if answer else []

    def seen(since_unix_s: float) -> bool:
        fetched = [float(each["value"][1]) for each in asked("timestamp(up) and up == 1")]
        return len(fetched) == len(SERVICES) and min(fetched) > since_unix_s

    def holds(stored: Stored) -> str | None:
        counted = sum(int(each["value"][1]) for each in asked(DECISIONS))
        return f"all {counted} decisions" if counted == len(stored.decisions) else None

    return Backend(
        address,
        "metrics",
        holds,
        page=at(DECISIONS),
        variables={"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1"},
        own={service: {"OTEL_EXPORTER_PROMETHEUS_PORT": str(scraped)} for service, scraped in scrapes.items()},
        seen=seen,
    )


def alertmanager(crew: Crew, folder: Path, _started: Mapping[str, Backend]) -> Backend:
    """Alerts, which the services post to it themselves."""
    program = _program("alertmanager")
    _needs("specspan_exporter_alerts", "specspan-exporter-alerts")
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
    crew.server("Alertmanager", command, folder / "alertmanager.log")
    crew.until(lambda: _answers(f"{address}/-/ready"), READY_S)

    def holds(stored: Stored) -> str | None:
        told = {
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
        return ", ".join(f"{clause} ({service})" for service, clause in sorted(told)) if told == wanted else None

    variables = {"SPECSPAN_DECISION_EXPORTER": "sqlite,alertmanager", "SPECSPAN_ALERTMANAGER_URL": address}
    return Backend(address, "alerts", holds, page=f"{address}/api/v2/alerts", variables=variables)


ALL: Mapping[str, Callable[[Crew, Path, Mapping[str, Backend]], Backend]] = {
    "Jaeger": jaeger,
    "Collector": collector,  # after Jaeger, whose place it takes where services send their spans
    "Prometheus": prometheus,
    "Alertmanager": alertmanager,
}


def _program(name: str, backend: str | None = None) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "specspan-backends"
    kept = sorted(cache.glob(f"{backend or name}-*/bin/{name}"))
    found = kept[-1] if kept else shutil.which(name)
    if found is None:
        raise Absent("make backends")
    return Path(found)


def _needs(module: str, package: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise Absent(f"pip install {package}")


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
