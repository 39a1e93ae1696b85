"""A Tempo as its users ask it."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from backends import fetch

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
