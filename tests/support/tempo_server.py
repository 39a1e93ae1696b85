"""A real Tempo, under the configuration that users are given, as they ask it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml
from backends import fetch, free_port, program, served

CONFIGURATION = Path(__file__).resolve().parents[2] / "exporters/tempo/tempo.yaml"
HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Tempo:
    """Where one listens."""

    api: str
    otlp: str

    def search(self, traceql: str, since_s: int = HOUR_S) -> set[str]:
        """Ids of the traces of the last hour that a TraceQL query finds; as Grafana asks."""
        now_s = int(time.time())
        asked = {"q": traceql, "start": now_s - since_s, "end": now_s + 1, "limit": 1000}
        found = json.loads(fetch(f"{self.api}/api/search?{urlencode(asked)}"))
        return {trace["traceID"].zfill(32) for trace in found["traces"]}  # written without the zeros before

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace in the JSON of OTLP."""
        found = json.loads(fetch(f"{self.api}/api/v2/traces/{trace_id}"))
        return [
            {**_with_ids(span), "resource": resource["resource"], "links": list(map(_with_ids, span.get("links", [])))}
            for resource in found["trace"]["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


def _with_ids(written: dict[str, Any]) -> dict[str, Any]:
    """Bytes are base64 in this JSON; OTLP's has ids in hexadecimal digits."""
    ids = written.keys() & {"traceId", "spanId", "parentSpanId"}
    return {**written, **{each: base64.b64decode(written[each]).hex() for each in ids}}


@contextmanager
def tempo_in(folder: Path) -> Iterator[Tempo]:
    """The server, its configuration changed in nothing but ports, folders and how soon a trace is searched for."""
    api, internal, otlp, grpc = (free_port() for _ in range(4))
    configuration = yaml.safe_load(CONFIGURATION.read_text(encoding="utf-8"))
    configuration["server"] |= {"http_listen_port": api, "grpc_listen_port": internal}
    protocols = configuration["distributor"]["receivers"]["otlp"]["protocols"]
    protocols["http"]["endpoint"] = protocols["http"]["endpoint"].replace("4318", str(otlp))
    protocols["grpc"]["endpoint"] = protocols["grpc"]["endpoint"].replace("4317", str(grpc))
    configuration["ingester"] |= {"trace_idle_period": "100ms", "flush_check_period": "100ms"}
    # What the application says it did long ago has only just arrived, where Tempo does not look for the past.
    configuration["query_frontend"] = {"search": {"query_ingesters_until": "3h"}}
    configuration["storage"]["trace"]["wal"]["ingestion_time_range_slack"] = "3h"
    written = folder / "tempo.yaml"
    written.write_text(yaml.safe_dump(configuration).replace("/var/tempo", str(folder)), encoding="utf-8")
    command: list[str | Path] = [program("tempo"), f"-config.file={written}", "-config.expand-env=true"]
    with served(command, f"http://127.0.0.1:{api}/ready", folder / "tempo.log"):
        yield Tempo(f"http://127.0.0.1:{api}", f"http://127.0.0.1:{otlp}")
