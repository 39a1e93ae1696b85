"""An application that Prometheus scrapes: it answers again and again with what stands on the last line it was sent.

Arguments: its policy, the port of its metrics.
"""

from __future__ import annotations

import select
import sys

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

import specspan

PAUSE_S = 0.02

policy, port = sys.argv[1:]
reader = PrometheusMetricReader()
specspan.configure(policy=policy, meter_provider=MeterProvider([reader]))
start_http_server(int(port), "127.0.0.1")


@specspan.observe(model="parrot")
def answer(question: str, text: str) -> str:
    """What the model says."""
    return text


said = "Good morning."
while True:
    readable, _, _ = select.select([sys.stdin], [], [], PAUSE_S)
    if readable:
        line = sys.stdin.readline()
        if not line:
            break
        said = line.strip()
    answer("Hello?", said)
