"""OpenTelemetry's providers: the application's own where it has them, else made by its environment variables.

Exporters are found by name, through the entry points of OpenTelemetry and specspan.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from opentelemetry import _logs as logs
from opentelemetry import metrics, trace
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from specspan._support import drop_counts
from specspan._support.otel_private import items_left, report_drops
from specspan.errors import ConfigurationError, MissingDependency, Problem, SpecspanError
from specspan.record.liveness import is_placeholder
from specspan.record.sampling import tail
from specspan.record.sampling.rules import Sampling
from specspan.record.span_queue import SpanQueue, SpanWriter
from specspan.runtime.environment import Environment, store_spans
from specspan.runtime.provider_thread import FailedExports, ProviderThread, wait_for_calls
from specspan.runtime.span_ids import RandomSpanIds
from specspan.sqlite.reviewed_verdicts import set_conclusion
from specspan.stores.kinds import sqlite
from specspan.stores.opening import find_kind, store_address, url_scheme
from specspan.stores.protocols import StoreKind

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

TRACES = "opentelemetry_traces_exporter"
METRICS = "opentelemetry_metrics_exporter"
LOGS = "opentelemetry_logs_exporter"
DECISIONS = "specspan_decision_exporter"
OTLP_DECISIONS = "otlp"


def create_exporter(group: str, name: str, *, db: str | os.PathLike[str] | None = None) -> Any:
    """Return the exporter ``name``, made by its own defaults and variables; ``db`` is the address of a store.

    Raises:
        MissingDependency: the exporter comes with an extra that is not installed.
        ConfigurationError: no installed package registers the exporter, its constructor fails, or its store cannot be
            written.
    """
    is_own = (group, name) in _OWN
    entry_points = () if is_own else metadata.entry_points(group=group, name=name)
    if not is_own and not entry_points:
        raise _unknown(group, name)
    if group == DECISIONS:
        set_conclusion(_conclude_reviewed)
    kind = sqlite if is_own and name != OTLP_DECISIONS else _kind_of(group, name, store_address(db))
    if kind is not None:
        kind.check_address(store_address(db))
    arguments = (db,) if db is not None and kind is not None else ()
    try:
        create = resolve_name(_OWN[group, name]) if is_own else next(iter(entry_points)).load()
        exporter = create(*arguments, **_compression(group, name))
    except SpecspanError:
        raise
    except Exception as error:  # whatever somebody else's constructor raises, it is the configuration that must change
        problem = Problem(f"could not be made: {error!r}", "Correct what it reads, or name another exporter.")
        raise ConfigurationError(f"exporter {name!r}", problem) from error
    if name == "otlp_proto_http":
        from specspan.runtime.otlp_encoding import share_encodings

        share_encodings(exporter)
    return exporter


def _conclude_reviewed(decision: Mapping[str, Any], policy: Mapping[str, Any], ruled: Mapping[str, str]) -> Any:
    from specspan.review.decision_amendment import conclude_reviewed  # only where a finding came after a ruling

    return conclude_reviewed(decision, policy, ruled)


_OWN = {
    (TRACES, store_spans(sqlite.NAME)): "specspan.sqlite.exporters:SQLiteSpanExporter",
    (DECISIONS, sqlite.NAME): "specspan.sqlite.exporters:SQLiteDecisionExporter",
    (DECISIONS, OTLP_DECISIONS): "specspan.runtime.otlp_decisions:OTLPDecisionExporter",
}
"""Exporters that come with specspan. Another distribution that registers one of their names does not replace them: who
writes the file and who reads it are of one release."""
_EXTRAS = {
    (DECISIONS, "alertmanager"): "alerts",
    (DECISIONS, "postgres"): "postgres",
    (TRACES, "specspan_postgres"): "postgres",
    (DECISIONS, "webhook"): "alerts",
    (METRICS, "prometheus"): "prometheus",
}
"""Extras that bring the exporters of other distributions."""
_SIGNALS = {TRACES: "TRACES", METRICS: "METRICS", LOGS: "LOGS"}


def _kind_of(group: str, name: str, address: str) -> StoreKind | None:
    """Return the kind of store at an address, where the exporter is the one that writes it."""
    if group not in (TRACES, DECISIONS) or url_scheme(address) in (None, *sqlite.SCHEMES):
        return None
    kind = find_kind(address)
    return kind if name == (kind.NAME if group == DECISIONS else store_spans(kind.NAME)) else None


def _compression(group: str, name: str) -> dict[str, Any]:
    """Return the arguments by which an OTLP exporter compresses; none where the environment says how it should."""
    signal = _SIGNALS.get(group)
    variables = ("OTEL_EXPORTER_OTLP_COMPRESSION", f"OTEL_EXPORTER_OTLP_{signal}_COMPRESSION")
    if signal is None or any(os.environ.get(variable, "").strip() for variable in variables):
        return {}
    if name == "otlp_proto_http":
        from opentelemetry.exporter.otlp.proto.http import Compression

        return {"compression": Compression.Gzip}
    if name == "otlp_proto_grpc":
        import grpc

        return {"compression": grpc.Compression.Gzip}
    return {}


def _unknown(group: str, name: str) -> ConfigurationError:
    extra = "otlp" if name.startswith("otlp_proto_") else _EXTRAS.get((group, name))
    if extra is not None:
        problem = Problem("is not installed", f"Run: pip install 'specspan[{extra}]'")
        return MissingDependency(f"exporter {name!r}", problem)
    own = (own_name for own_group, own_name in _OWN if own_group == group)
    names = sorted({*own, *(entry_point.name for entry_point in metadata.entry_points(group=group))})
    problem = Problem("is registered by no installed package", f"Installed ones are {', '.join(names) or 'none'}.")
    return ConfigurationError(f"exporter {name!r} ({group})", problem)


_Provider = TypeVar("_Provider")
_Processor = TypeVar("_Processor", BatchSpanProcessor, BatchLogRecordProcessor)
GivenProviders: TypeAlias = tuple[
    trace.TracerProvider | None,
    metrics.MeterProvider | None,
    logs.LoggerProvider | None,
]
_NOT_SAMPLED = (
    "sampling is configured, and the application's own tracer provider keeps its own sampler; give that provider the "
    "sampler and the processor of specspan.record.sampling.tail"
)
_NO_THREAD = "no thread can be started (%s): %s"
_log = logging.getLogger("specspan")


@dataclass(frozen=True, slots=True)
class Providers:
    """Providers of the three signals, and those among them that specspan shuts down."""

    tracer: trace.TracerProvider
    meter: metrics.MeterProvider | None
    """None where no provider is set; the application may yet set its own."""
    logger: logs.LoggerProvider | None
    """None as for ``meter``."""
    resource: Resource
    owned: tuple[TracerProvider | MeterProvider | LoggerProvider, ...] = ()
    """Providers that were made here, which `shutdown` shuts down."""
    threads: tuple[ProviderThread, ...] = ()
    """Thread of each provider that has anything to flush."""
    span_queues: tuple[SpanQueue, ...] = ()
    """Queues of specspan's own in the tracer provider that was made here."""

    def force_flush(self, timeout_s: float) -> bool:
        """Hand over what waits in any provider; return False when some was lost, or left after ``timeout_s``."""
        deadline_s = time.monotonic() + timeout_s
        return wait_for_calls([thread.flush(timeout_s) for thread in self.threads], deadline_s)

    def shutdown(self, timeout_s: float = 5.0, *, at_exit: bool = False) -> None:
        """Shut down the providers made here and flush the application's own, which go on; wait ``timeout_s`` at most.

        At the end of the process, providers of the application's that shut down by themselves are left alone.
        """
        deadline_s = time.monotonic() + timeout_s
        try:
            wait_for_calls([thread.finish(timeout_s, at_exit=at_exit) for thread in self.threads], deadline_s)
        finally:
            for queue in self.span_queues:
                queue.give_up()


def resolve_providers(
    environment: Environment,
    given: GivenProviders = (None, None, None),
    *,
    service_name: str | None = None,
    db: str | os.PathLike[str] | None = None,
) -> Providers:
    """Return each provider: the one given, else the application's global one, else one made by ``environment``.

    Raises:
        ConfigurationError: an exporter that is configured cannot be made.
    """
    resource = _create_resource({SERVICE_NAME: service_name} if service_name else {})
    tracer = given[0] or _unless_proxy(trace.get_tracer_provider())
    meter = given[1] or _unless_proxy(metrics.get_meter_provider())
    logger = given[2] or _unless_proxy(logs.get_logger_provider())

    # Every exporter first: what can fail does so before a provider has started its threads.
    spans = None if tracer else [create_exporter(TRACES, name, db=db) for name in environment.traces]
    points = None if meter else [create_exporter(METRICS, name) for name in environment.metrics]
    records = None if logger else [create_exporter(LOGS, name) for name in environment.logs]
    failed = FailedExports()
    for kind, exporters in (("span", spans), (None, points), ("log_record", records)):
        for exporter in exporters or ():
            failed.watch(exporter, kind)
    if tracer is not None and environment.sampling is not None:
        _log.warning(_NOT_SAMPLED)
    sampling = None if spans is None else environment.sampling
    processors = [_span_processor(exporter) for exporter in spans or ()]
    made_tracer = None if spans is None else _tracer_provider(resource, processors, sampling)
    made_meter = _meter_provider(resource, points, sampling) if points else None
    made_logger = _logger_provider(resource, records) if records else None
    tracer = tracer or made_tracer or trace.NoOpTracerProvider()
    meter = meter or made_meter
    logger = logger or made_logger
    owned = tuple(made for made in (made_tracer, made_meter, made_logger) if made is not None)
    return Providers(
        tracer=tracer,
        meter=meter,
        logger=logger,
        resource=getattr(tracer, "resource", resource),
        owned=owned,
        threads=_threads(owned, failed, traces=tracer, metrics=meter, logs=logger),
        span_queues=tuple(processor for processor in processors if isinstance(processor, SpanQueue)),
    )


def _meter_provider(resource: Resource, exporters: Sequence[Any], sampling: Sampling | None) -> MeterProvider:
    from specspan.runtime.meter_provider import make_meter_provider  # the SDK of metrics: not before it is needed

    return make_meter_provider(resource, exporters, sampling)


def _create_resource(attributes: Mapping[str, str]) -> Resource:
    """Return the resource of OpenTelemetry's detectors, which run on threads; without threads, the environment's."""
    try:
        return Resource.create(attributes)
    except RuntimeError as error:
        _log.warning(_NO_THREAD, error, "the resource is that of the environment's variables")
        unnamed = Resource({SERVICE_NAME: "unknown_service"})
        return unnamed.merge(OTELResourceDetector().detect()).merge(Resource(attributes))


def _threads(owned: Sequence[object], failed: FailedExports, **providers: object) -> tuple[ProviderThread, ...]:
    return tuple(
        ProviderThread(signal, provider, failed, is_owned=provider in owned)
        for signal, provider in providers.items()
        if hasattr(provider, "force_flush")
    )


def no_op_providers() -> Providers:
    """Return providers that record nothing."""
    return Providers(
        trace.NoOpTracerProvider(), metrics.NoOpMeterProvider(), logs.NoOpLoggerProvider(), Resource.get_empty()
    )


def _unless_proxy(provider: _Provider) -> _Provider | None:
    """Return the global provider; None while it is the proxy of OpenTelemetry's API."""
    return None if is_placeholder(provider) and "Proxy" in type(provider).__name__ else provider


# Each is shut down by `specspan.shutdown`, at exit at the latest; decisions first, so that nothing overtakes them.


def _tracer_provider(
    resource: Resource, processors: Sequence[SpanProcessor], sampling: Sampling | None
) -> TracerProvider:
    sampler = tail.sampler(sampling) if sampling is not None else None
    provider = TracerProvider(sampler, resource=resource, id_generator=RandomSpanIds(), shutdown_on_exit=False)
    exporting = SynchronousMultiSpanProcessor()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
    for processor in processors:
        exporting.add_span_processor(processor)
    provider.add_span_processor(exporting if sampling is None else tail.processor(sampling, exporting))
    return provider


def _counting(processor: _Processor, kind: str) -> _Processor:
    """Return a batch processor of OpenTelemetry's, whose losses are counted in `specspan.dropped` from now on."""

    def shutdown() -> None:
        try:
            type(processor).shutdown(processor)  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
        finally:
            if left := items_left(processor):
                drop_counts.count(kind, "shutdown", left)

    report_drops(processor, partial(drop_counts.count, kind))
    processor.shutdown = shutdown  # type: ignore[method-assign]
    return processor


def _span_processor(exporter: Any) -> SpanProcessor:
    if isinstance(exporter, SpanWriter):  # it retries and counts by our queue; OpenTelemetry's drops beyond 2,048 spans
        return SpanQueue(exporter)
    try:
        return _counting(BatchSpanProcessor(exporter), "span")
    except RuntimeError as error:
        _log.warning(_NO_THREAD, error, "spans are exported as they end")
        return SimpleSpanProcessor(exporter)


def _log_record_processor(exporter: Any) -> LogRecordProcessor:
    try:
        return _counting(BatchLogRecordProcessor(exporter), "log_record")
    except RuntimeError as error:
        _log.warning(_NO_THREAD, error, "log records are exported as they are made")
        return SimpleLogRecordProcessor(exporter)


def _logger_provider(resource: Resource, exporters: Sequence[Any]) -> LoggerProvider:
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_log_record_processor(_log_record_processor(exporter))
    return provider
