"""What every service begins and ends with: OpenTelemetry as any program sets it up, specspan on top of it."""

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
from specspan_exporter_sqlite import SQLiteSpanExporter

HERE = Path(__file__).parent


def begin(service: str) -> None:
    """Have this process record as ``service`` and decide by its policy.

    Spans of its own, those of its queue included, go the same ways as specspan's, so the provider is the program's.
    Everything else is said by variables: where traces go besides SQLite, where metrics go, who is told of violations.
    """
    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
    provider.add_span_processor(BatchSpanProcessor(SQLiteSpanExporter()))
    if {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} & os.environ.keys():
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    specspan.configure(HERE / f"{service}.yaml", service_name=service)


def told_to_stop() -> threading.Event:
    """Set when standard input ends: a service ends with whoever started it, however that came about."""
    stop = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait, daemon=True).start()
    return stop
