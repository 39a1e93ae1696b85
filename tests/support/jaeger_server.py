"""A Jaeger as its users ask it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from backends import fetch

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
