"""Instrumentations and exits that the benchmark compares."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import set_meter_provider
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import set_tracer_provider

Flush = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Setup:
    """Instrumentation that is in force in this process."""

    flush: Flush
    shutdown: Callable[[], object]


def start(name: str, policy: Path | None, folder: Path, endpoint: str) -> Setup:
    """Put an instrumentation to work: ``alone``, an exit of specspan's, or another project's by its name.

    Raises:
        ImportError: the other project is not installed.
    """
    if name == "alone":
        return Setup(lambda: None, lambda: None)
    if name in _SPECSPAN:
        return _start_specspan(_SPECSPAN[name], policy, folder, endpoint)
    return _start_other(_OTHERS[name], endpoint)


def _start_specspan(
    configure: Callable[[Path | None, Path], None], policy: Path | None, folder: Path, endpoint: str
) -> Setup:
    import specspan

    os.environ["SPECSPAN_TEST_ENDPOINT"] = endpoint
    configure(policy, folder)
    specspan.instrument("openai")
    return Setup(lambda: specspan.force_flush(60), specspan.shutdown)


def _to_nowhere(policy: Path | None, folder: Path) -> None:
    import specspan

    specspan.configure(policy, tracer_provider=TracerProvider(shutdown_on_exit=False), decision_exporters=[])


def _to_sqlite(policy: Path | None, folder: Path) -> None:
    import specspan

    specspan.configure(policy, db=folder / "specspan.db")


def _to_otlp(policy: Path | None, folder: Path) -> None:
    import specspan

    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = os.environ.pop("SPECSPAN_TEST_ENDPOINT")
    os.environ["SPECSPAN_DECISION_EXPORTER"] = "none"
    specspan.configure(policy)


def _to_json_lines(policy: Path | None, folder: Path) -> None:
    import specspan

    provider = TracerProvider(shutdown_on_exit=False)
    stream = (folder / "spans.jsonl").open("w")
    exporter = ConsoleSpanExporter(out=stream, formatter=lambda span: span.to_json(indent=None) + "\n")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    decisions = _JsonLines((folder / "decisions.jsonl").open("w"))
    specspan.configure(policy, tracer_provider=provider, decision_exporters=[decisions])


class _JsonLines:
    """Exporter of decision records, one a line."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._stream.write("".join(json.dumps(record, default=dict) + "\n" for record in records))
        self._stream.flush()

    def shutdown(self) -> None:
        self._stream.close()


_SPECSPAN: Mapping[str, Callable[[Path | None, Path], None]] = {
    "nowhere": _to_nowhere,
    "sqlite": _to_sqlite,
    "otlp": _to_otlp,
    "jsonl": _to_json_lines,
}


def _instrument_opentelemetry() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    instrumentor: Any = OpenAIInstrumentor
    instrumentor().instrument()


def _instrument_openinference() -> None:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def _instrument_openllmetry() -> None:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


_OTHERS: Mapping[str, Callable[[], None]] = {
    "opentelemetry": _instrument_opentelemetry,
    "openinference": _instrument_openinference,
    "openllmetry": _instrument_openllmetry,
}


def _start_other(instrument: Callable[[], None], endpoint: str) -> Setup:
    """Instrument with every signal going to OTLP, as each project's documentation sets it up."""
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    tracer_provider = TracerProvider(shutdown_on_exit=False)
    tracer_provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    meter_provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())], shutdown_on_exit=False)
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    providers = (tracer_provider, meter_provider, logger_provider)
    set_tracer_provider(tracer_provider)
    set_meter_provider(meter_provider)
    set_logger_provider(logger_provider)
    instrument()
    return Setup(
        lambda: [provider.force_flush() for provider in providers],
        lambda: [provider.shutdown() for provider in providers],
    )
