"""An application that Prometheus scrapes: it answers again and again with what stands on the last line it was sent.

It rests while that line is empty. Where OpenTelemetry's variable names an endpoint for metrics, it sends them there.

Arguments: its policy, the port of its metrics.
"""

from __future__ import annotations

import os
import select
import sys

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from prometheus_client import start_http_server

import specspan
from specspan.record.sampling import tail

PAUSE_S = 0.02

policy, port = sys.argv[1:]
readers: list[MetricReader] = [PrometheusMetricReader()]
if "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT" in os.environ:
    readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
exemplars = tail.exemplar_filter(specspan.Sampling()) if "SPECSPAN_SAMPLING_RATIO" in os.environ else None
specspan.configure(policy=policy, meter_provider=MeterProvider(readers, exemplar_filter=exemplars))
start_http_server(int(port), "127.0.0.1")


@specspan.observe(model="parrot")
def answer(question: str, text: str) -> str:
    """What the model says."""
    return text


said = "Good morning."
lines = open(0, "rb", buffering=0)  # noqa: SIM115 - so that no line waits where select does not see it
while True:
    readable, _, _ = select.select([lines], [], [], PAUSE_S)
    if readable:
        line = lines.readline()
        if not line:
            break
        said = line.decode().strip()
    if said:
        answer("Hello?", said)
