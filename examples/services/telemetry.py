"""Start and end of every service: OpenTelemetry as any program sets it up, and specspan on top of it."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import specspan
from specspan.sqlite import SQLiteSpanExporter

HERE = Path(__file__).parent


def begin(service: str) -> None:
    """Configure this process to record as ``service`` and to decide by the policy of that name.

    The provider is the program's, so that spans of its own, such as those of its queue, are exported with specspan's.
    Variables say everything else: exporters of traces beside SQLite, of metrics, and of alerts.
    """
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(SQLiteSpanExporter()))
    if {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} & os.environ.keys():
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    specspan.configure(HERE / f"{service}.yaml", service_name=service)


def stop_event() -> threading.Event:
    """Return an event that is set when standard input ends, so that a service ends with the process that started it."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop
