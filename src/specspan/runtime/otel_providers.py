"""OpenTelemetry's providers: the application's own where it has them, else made here as its variables ask."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, TypeAlias, TypeVar

from opentelemetry import _logs as logs
from opentelemetry import metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.environment_variables import OTEL_METRICS_EXEMPLAR_FILTER
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from specspan.errors import ConfigurationError, MissingDependency, Problem
from specspan.record.liveness import is_placeholder
from specspan.record.sampling.rules import Sampling
from specspan.runtime.environment import SQLITE_DECISIONS, SQLITE_SPANS, Environment

# MERGED exporters: Exporters by name, through the entry points that OpenTelemetry and specspan give them.


TRACES = "opentelemetry_traces_exporter"
METRICS = "opentelemetry_metrics_exporter"
LOGS = "opentelemetry_logs_exporter"
DECISIONS = "specspan_decision_exporter"


def create_exporter(group: str, name: str, *, db: str | os.PathLike[str] | None = None) -> Any:
    """The exporter ``name``, made by its own defaults and its own variables; ``db`` is the SQLite exporters' file.

    Raises:
        MissingDependency: it is one of OTLP's and those are not installed.
        ConfigurationError: nobody registered it, or it could not be made.
    """
    found = metadata.entry_points(group=group, name=name)
    if not found:
        raise _unknown(group, name)
    arguments = (db,) if db is not None and (group, name) in _WITH_FILE else ()
    try:
        return next(iter(found)).load()(*arguments)
    except Exception as error:  # whatever somebody else's constructor raises, it is the configuration that must change
        problem = Problem(f"could not be made: {error!r}", "Correct what it reads, or name another exporter.")
        raise ConfigurationError(f"exporter {name!r}", problem) from error


_WITH_FILE = {(TRACES, SQLITE_SPANS), (DECISIONS, SQLITE_DECISIONS)}


def _unknown(group: str, name: str) -> ConfigurationError:
    if name.startswith("otlp_proto_"):
        problem = Problem("is not installed", "Run: pip install 'specspan[otlp]'")
        return MissingDependency(f"exporter {name!r}", problem)
    names = sorted({entry_point.name for entry_point in metadata.entry_points(group=group)})
    problem = Problem("is registered by no installed package", f"Installed ones are {', '.join(names) or 'none'}.")
    return ConfigurationError(f"exporter {name!r} ({group})", problem)


_Provider = TypeVar("_Provider")
Given: TypeAlias = tuple[
    trace.TracerProvider | None,
    metrics.MeterProvider | None,
    logs.LoggerProvider | None,
]
_FLUSH_ON_SHUTDOWN_S = 5.0
_NOT_SAMPLED = (
    "sampling was asked for, and the application's own tracer provider goes on with its own; give that one the sampler "
    "and the processor of a specspan.Sampling"
)
_log = logging.getLogger("specspan")


@dataclass(frozen=True, slots=True)
class Providers:
    """The three signals, and what of them is ours to end."""

    tracer: trace.TracerProvider
    meter: metrics.MeterProvider | None
    """None where none is set; the application may yet set its own."""
    logger: logs.LoggerProvider | None
    """None as for ``meter``."""
    resource: Resource
    owned: tuple[TracerProvider | MeterProvider | LoggerProvider, ...] = ()
    """Those that were made here: ours to shut down."""

    def force_flush(self, timeout_s: float) -> bool:
        """Hand over what waits in all of them; False when something was left after ``timeout_s``."""
        flushes: list[Callable[[int], bool | None]] = [
            provider.force_flush
            for provider in (self.tracer, self.meter, self.logger)
            if provider is not None and hasattr(provider, "force_flush")
        ]
        flushed = [flush(int(timeout_s * 1000)) for flush in flushes]  # each one, whatever another says
        return all(done is not False for done in flushed)  # some of somebody else's make say nothing

    def shutdown(self) -> None:
        """Flush all, and end those made here; the application's own go on."""
        self.force_flush(_FLUSH_ON_SHUTDOWN_S)
        for provider in self.owned:
            provider.shutdown()


def resolve_providers(
    environment: Environment,
    given: Given = (None, None, None),
    *,
    service_name: str | None = None,
    db: str | os.PathLike[str] | None = None,
) -> Providers:
    """Each provider: the one given, else the application's global one, else one made as ``environment`` asks.

    Raises:
        ConfigurationError: an exporter that was asked for cannot be had.
    """
    resource = Resource.create({SERVICE_NAME: service_name} if service_name else {})
    tracer = given[0] or _set_globally(trace.get_tracer_provider())
    meter = given[1] or _set_globally(metrics.get_meter_provider())
    logger = given[2] or _set_globally(logs.get_logger_provider())

    # Every exporter first: what can fail does so before a provider has started its threads.
    spans = None if tracer else [create_exporter(TRACES, name, db=db) for name in environment.traces]
    points = None if meter else [create_exporter(METRICS, name) for name in environment.metrics]
    records = None if logger else [create_exporter(LOGS, name) for name in environment.logs]
    if tracer is not None and environment.sampling is not None:
        _log.warning(_NOT_SAMPLED)
    sampling = None if spans is None else environment.sampling
    made_tracer = None if spans is None else _tracer_provider(resource, spans, sampling)
    made_meter = _meter_provider(resource, points, sampling) if points else None
    made_logger = _logger_provider(resource, records) if records else None
    tracer = tracer or made_tracer or trace.NoOpTracerProvider()
    return Providers(
        tracer=tracer,
        meter=meter or made_meter,
        logger=logger or made_logger,
        resource=getattr(tracer, "resource", resource),
        owned=tuple(made for made in (made_tracer, made_meter, made_logger) if made is not None),
    )


def no_op_providers() -> Providers:
    """Providers that record nothing."""
    return Providers(
        trace.NoOpTracerProvider(), metrics.NoOpMeterProvider(), logs.NoOpLoggerProvider(), Resource.get_empty()
    )


def _set_globally(provider: _Provider) -> _Provider | None:
    """The application's global provider; None while OpenTelemetry's API still answers with its proxy."""
    return None if is_placeholder(provider) and "Proxy" in type(provider).__name__ else provider


# Each is shut down by `specspan.shutdown`, at exit at the latest; decisions first, so that nothing overtakes them.


def _tracer_provider(resource: Resource, created: Sequence[Any], sampling: Sampling | None) -> TracerProvider:
    sampler = sampling.sampler() if sampling is not None else None
    provider = TracerProvider(sampler, resource=resource, shutdown_on_exit=False)
    behind = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
    for exporter in created:
        behind.add_span_processor(BatchSpanProcessor(exporter))
    provider.add_span_processor(behind if sampling is None else sampling.processor(behind))
    return provider


def _meter_provider(resource: Resource, created: Sequence[Any], sampling: Sampling | None) -> MeterProvider:
    readers = [made if isinstance(made, MetricReader) else PeriodicExportingMetricReader(made) for made in created]
    asked = OTEL_METRICS_EXEMPLAR_FILTER in os.environ
    exemplars = sampling.exemplar_filter() if sampling is not None and not asked else None
    return MeterProvider(readers, resource=resource, exemplar_filter=exemplars, shutdown_on_exit=False)


def _logger_provider(resource: Resource, created: Sequence[Any]) -> LoggerProvider:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in created:
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    return provider
