"""A real OpenTelemetry Collector under a configuration as it is shipped, but for where it listens and sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from backends import free_port, program, served


def shipped(path: Path) -> dict[str, Any]:
    """A configuration that users are given."""
    configuration: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return configuration


@contextmanager
def collector(configuration: dict[str, Any], folder: Path) -> Iterator[str]:
    """Run it until the block ends; its endpoint for OTLP over HTTP."""
    ports = [free_port() for _ in range(3)]
    http, grpc, health = (f"127.0.0.1:{port}" for port in ports)
    configuration["receivers"]["otlp"]["protocols"] = {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}
    configuration["extensions"] = {"health_check": {"endpoint": health}}
    configuration["service"] |= {"extensions": ["health_check"], "telemetry": {"metrics": {"level": "none"}}}
    written = folder / "collector.yaml"
    written.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    command: list[str | Path] = [program("otelcol", "collector"), "--config", written]
    with served(command, f"http://{health}/", folder / "collector.log"):
        yield f"http://{http}"
