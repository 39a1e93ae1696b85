"""Other people's instrumentations, as they are published, and where their spans and metrics go."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from specspan.instrument.coexistence import is_model_call


@dataclass
class Signals:
    """Where everybody's spans and metrics go."""

    exporter: InMemorySpanExporter
    reader: InMemoryMetricReader
    tracers: Any
    meters: Any
    install: Callable[[], None]
    """Installs the other instrumentation."""
    uninstall: Callable[[], None]
    """Takes it away again."""
    loggers: Any = None
    """Where its log records go, if it was given that."""

    @property
    def model_calls(self) -> list[ReadableSpan]:
        """Every span that looks like a model call's in anybody's dialect."""
        return [span for span in self.exporter.get_finished_spans() if is_model_call(span.attributes or {})]

    def measured(self, metric: str) -> Counter[str]:
        """How often a metric was measured, by kind of token, whoever did it."""
        found: Counter[str] = Counter()
        data = self.reader.get_metrics_data()
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for each in scope.metrics:
                    if each.name == metric:
                        for point in each.data.data_points:
                            kind = (point.attributes or {}).get("gen_ai.token.type")
                            found[str(kind)] += getattr(point, "count", 0)
        return found


@contextmanager
def instrumentor(module: str, name: str) -> Iterator[Signals]:
    """An instrumentation in the manner of OpenTelemetry's, by the class that installs it."""
    other = getattr(_imported(module), name)()
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracers, meters = TracerProvider(), MeterProvider([reader])
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    loggers = LoggerProvider(shutdown_on_exit=False)
    given = {"tracer_provider": tracers, "meter_provider": meters, "logger_provider": loggers, "skip_dep_check": True}

    def install() -> None:
        with warnings.catch_warnings():  # of what it imports only now
            warnings.simplefilter("ignore")
            other.instrument(**given)

    yield Signals(exporter, reader, tracers, meters, install, other.uninstrument, loggers)
    if other.is_instrumented_by_opentelemetry:
        other.uninstrument()


def _imported(module: str) -> Any:
    with warnings.catch_warnings():  # they stand on older versions of what we have
        warnings.simplefilter("ignore")
        return import_module(module)
