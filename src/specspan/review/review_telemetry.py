"""Telemetry of a ruling: a span below that of the call, a log record, and a metric."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider, get_meter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TracerProvider

from specspan._support.guard import guard
from specspan.record import conventions as names
from specspan.record.attributes import Attributes, safe_text
from specspan.review.review_task import RulingResult
from specspan.version import __version__

_OPEN = "open"
"""Outcome of a ruling of who cannot say."""


class RulingWriter(Protocol):
    """Writer of rulings that everybody may know of."""

    def write(self, result: RulingResult, decision: Mapping[str, Any]) -> None:
        """Write a ruling; nothing is raised."""


class ReviewTelemetry:
    """Writer of rulings to OpenTelemetry, by the providers that are given or else by the global ones."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        name, url = names.INSTRUMENTATION_NAME, names.SCHEMA_URL
        self._tracer = trace.get_tracer(name, __version__, tracer_provider, url)
        self._logger = get_logger(name, __version__, logger_provider, url)
        meter = get_meter(name, __version__, meter_provider, url)
        self._rulings = meter.create_counter(names.METRIC_RULINGS, "{ruling}", "Rulings of reviewers.")

    def write(self, result: RulingResult, decision: Mapping[str, Any]) -> None:
        """Write a ruling that was made, with the verdicts before and after where it changed the decision."""
        with guard("review.telemetry"):
            values = _attributes(result)
            context = _context(decision)
            now_ns = result.ruling.time_unix_nano
            span = self._tracer.start_span(names.REVIEW, context, SpanKind.INTERNAL, values, start_time=now_ns)
            span.end(now_ns)
            self._logger.emit(
                LogRecord(
                    timestamp=now_ns,
                    context=context,
                    severity_number=SeverityNumber.INFO,
                    severity_text="INFO",
                    attributes=values,
                    event_name=names.REVIEW,
                )
            )
            counted = (names.FINDING_CLAUSE, names.FINDING_OUTCOME, names.REVIEW_RULING)
            self._rulings.add(1, {name: values[name] for name in counted})


def _attributes(result: RulingResult) -> Attributes:
    """Return the attributes of a ruling. The reason is not among them: it may quote content."""
    values: Attributes = {
        names.DECISION_ID: result.task.decision_id,
        names.REVIEW_TASK: result.task.id,
        names.REVIEW_RULING: result.ruling.kind.value,
        names.REVIEW_REVIEWER: safe_text(result.ruling.reviewer),
        names.FINDING_CLAUSE: safe_text(result.task.clause),
        names.FINDING_OUTCOME: result.ruling.outcome or _OPEN,
    }
    if result.amended is not None:
        values[names.DECISION_AMENDED_FROM], values[names.DECISION_AMENDED_TO] = result.amended
    return values


def _context(decision: Mapping[str, Any]) -> Context:
    """Return the context in which the span of the call is current; an empty one where it is unknown."""
    try:
        trace_id, span_id = int(decision["trace_id"], 16), int(decision["span_id"], 16)
    except (KeyError, TypeError, ValueError):
        return Context()
    call = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(call), Context())
