"""Spans of what comes after a decision, below the span of the call: late findings, and judges' own calls."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, SpanKind, StatusCode, Tracer

from specspan.record import attributes, conventions
from specspan.record.late_finding import (
    JUDGE,
    JudgeRequest,
    LateFinding,
    late_finding_attributes,
    request_attributes,
)


def write_late_span(tracer: Tracer, late: LateFinding, *, with_explanation: bool) -> None:
    """Make the span of a finding that came after its decision; it lasts as long as the check took."""
    values = late_finding_attributes(late, with_explanation=with_explanation)
    start_ns = late.time_unix_nano - late.finding.duration_ns
    span = tracer.start_span(conventions.LATE_FINDING, late.context, SpanKind.INTERNAL, values, start_time=start_ns)
    span.end(late.time_unix_nano)


def write_request_span(tracer: Tracer, request: JudgeRequest, call: SpanContext) -> None:
    """Make the span of a judge's own call, which is linked to the call that it judged."""
    span = tracer.start_span(
        attributes.span_name(JUDGE, request.model),
        trace.set_span_in_context(trace.NonRecordingSpan(call), Context()),
        SpanKind.CLIENT,
        request_attributes(request),
        links=(trace.Link(call),),
        start_time=request.started_unix_nano,
    )
    if request.failure is not None:
        span.set_status(StatusCode.ERROR, request.failure)
    span.end(request.started_unix_nano + int(request.duration_s * 1e9))
