"""Bridge from ended spans of other instrumentation to decisions, the same for all dialects.

The application waits while a span ends, so the bridge only recognises a model call and queues it. A thread of the
bridge reads and decides it. A call that is over can only be observed, whatever the policy says.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import SpanContext, StatusCode, TracerProvider

from specspan._support import drop_counts, process
from specspan.bridges.dialect import Dialect, Event, RecordedSpan
from specspan.bridges.processors import (
    ListeningLogProcessor,
    ListeningSpanProcessor,
    SpanKey,
    SpanMap,
    attach_processor,
    span_key,
)
from specspan.call import CallContext
from specspan.decision import Mode, Override
from specspan.engine.bound_check import IS_IN_CHECK
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.instrument.coexistence import active_call_in, is_claimed, is_model_call, measuring_scope, shared_metrics
from specspan.instrument.context import current_context, current_overrides
from specspan.instrument.gate import Pipeline, active
from specspan.record.batching import BatchWorker
from specspan.record.call_end import CallRecord, EndKind, Timing
from specspan.record.conventions import DECISION_ID, ERROR_TYPE, INSTRUMENTATION_NAME, OTHER

QUEUE_SIZE = 2_048
"""Maximum number of ended calls that wait to be decided, each with its recorded content."""
OPEN_SPANS = 4_096
"""Maximum number of open spans for which log events, hook content or decided calls are remembered."""
_SHUTDOWN_S = 5.0
_OBSERVED_WARNING = (
    "the policy's mode is enforce, but calls traced by other instrumentation are over when the bridge sees them, so "
    "they are only observed; to enforce the policy on them, instrument their clients: specspan.instrument()"
)
_log = logging.getLogger("specspan")


@dataclass(frozen=True, slots=True)
class _EndedCall:
    """Ended span of a model call that waits to be decided."""

    span: RecordedSpan
    dialect: Dialect
    span_context: SpanContext
    duration_s: float
    measuring_scope: str | None
    provider: TracerProvider | None
    pipeline: Pipeline
    context: CallContext
    overrides: tuple[Override, ...]


class Bridge:
    """Listener that decides the model calls of other instrumentation, under the policy in force when they end."""

    def __init__(self, dialects: Iterable[Dialect], *, queue_size: int = QUEUE_SIZE) -> None:
        self._dialects = tuple(sorted(dialects, key=lambda dialect: dialect.general))
        self._processors: list[ListeningSpanProcessor | ListeningLogProcessor] = []
        self._log_events: SpanMap[list[Event]] = SpanMap(OPEN_SPANS, "bridged_content")
        self._hook_content: SpanMap[dict[str, Any]] = SpanMap(OPEN_SPANS, "bridged_content")
        self._own_spans: SpanMap[bool] = SpanMap(OPEN_SPANS)
        self._instrumented: SpanMap[bool] = SpanMap(OPEN_SPANS)
        self._decided: SpanMap[bool] = SpanMap(OPEN_SPANS)
        self._observing_engine: tuple[Engine, Engine] | None = None
        self._worker: BatchWorker[_EndedCall] = BatchWorker(
            "bridged_call", self._decide_all, queue_size=queue_size, batch_size=1
        )
        self._forget_exit = process.at_exit(self.shutdown)  # runs before the recorder's, which was registered earlier

    def listen_to(self, provider: Any) -> bool:
        """Listen to the spans or log records of a provider; return False if it takes no processors."""
        processor = attach_processor(provider)
        if processor is None:
            return False
        processor.listener = self
        self._processors.append(processor)
        return True

    def on_start(self, span: Span, context: Context) -> None:
        """Note a span that starts inside an instrumented call or right below its span: it belongs to that call."""
        key, scope, active_call = span_key(span.get_span_context()), span.instrumentation_scope, active_call_in(context)
        if scope is not None and scope.name == INSTRUMENTATION_NAME:
            if is_model_call(span.attributes or {}):
                self._own_spans.setdefault(key, lambda: True)
        elif (active_call is not None and active_call.package is not None) or (
            span.parent and span_key(span.parent) in self._own_spans
        ):
            self._instrumented.setdefault(key, lambda: True)

    def on_end(self, span: ReadableSpan, provider: TracerProvider | None) -> None:
        """Queue a model call that is not decided yet."""
        context, attributes = span.context, span.attributes or {}
        if context is None:
            return
        key = span_key(context)
        self._own_spans.pop(key)
        is_instrumented, events = self._instrumented.pop(key), self._log_events.pop(key)
        content = self._hook_content.pop(key)
        scope = span.instrumentation_scope.name if span.instrumentation_scope is not None else ""
        recorded_span = _read_span(span, {**attributes, **content} if content else attributes, scope, events or ())
        dialect = self._find_dialect(recorded_span)
        if dialect is None:
            return
        if span.parent is not None:  # the same call, if the parent is a model call's span
            self._instrumented.setdefault(span_key(span.parent), lambda: True)
        call = _call_key(span, dialect.call_id(recorded_span))
        if scope == INSTRUMENTATION_NAME or DECISION_ID in attributes or is_claimed(context):
            self._decided.setdefault(call, lambda: True)
        elif not (is_instrumented or call in self._decided or IS_IN_CHECK.get()):
            self._queue(span, recorded_span, dialect, context, provider)

    def on_log(self, span: SpanKey, event: Event) -> None:
        """Keep a log event until its span ends."""
        self._log_events.setdefault(span, list).append(event)

    def add_content(self, context: SpanContext, content: dict[str, Any]) -> None:
        """Keep content from a completion hook until its span ends."""
        self._hook_content.setdefault(span_key(context), dict).update(content)

    def force_flush(self, timeout_s: float) -> bool:
        """Decide all calls that have ended; return False if that took longer than ``timeout_s``."""
        return self._worker.flush().wait(timeout_s)

    def shutdown(self, timeout_s: float = _SHUTDOWN_S) -> None:
        """Stop listening and decide the queued calls; count those not decided within ``timeout_s`` as dropped."""
        self._forget_exit()
        for each in self._processors:
            if each.listener is self:
                each.listener = None
        self._worker.shutdown(timeout_s)

    def _find_dialect(self, recorded_span: RecordedSpan) -> Dialect | None:
        return next((dialect for dialect in self._dialects if dialect.matches(recorded_span)), None)

    def _queue(
        self,
        span: ReadableSpan,
        recorded_span: RecordedSpan,
        dialect: Dialect,
        context: SpanContext,
        provider: TracerProvider | None,
    ) -> None:
        pipeline = active()
        if pipeline is None or pipeline.engine is None:
            return
        duration_s = dialect.duration_s(recorded_span)
        if duration_s is None:
            duration_s = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
        self._worker.put(
            _EndedCall(
                recorded_span,
                dialect,
                context,
                duration_s,
                measuring_scope(span),
                provider,
                pipeline,
                current_context(),
                current_overrides(),
            )
        )

    def _decide_all(self, calls: Sequence[_EndedCall]) -> None:
        for each in calls:
            self._decide(each)

    def _decide(self, ended: _EndedCall) -> None:
        started_ns = time.time_ns()
        call_read = ended.dialect.read(ended.span)
        engine = ended.pipeline.engine
        if call_read is None or engine is None:
            return
        call = replace(call_read, context=ended.context)
        evaluation = self._observe_only(engine).open(ended.overrides, call)
        run_sync(evaluation.input(call))
        if call.response is not None:
            run_sync(evaluation.output(call))
        timing = Timing(ended.duration_s, None, dict(evaluation.overhead_ns))
        kind = EndKind.FAILED if ended.span.failed else EndKind.COMPLETED
        record = CallRecord(
            ended.span_context,
            call,
            evaluation.decide(),
            kind,
            _error_type(ended.span),
            timing,
            shared_metrics(ended.measuring_scope, streaming=call.request.streaming)._replace(span=True),
            ended.dialect.name,
        )
        ended.pipeline.recorder.record_bridged_call(record, ended.provider, started_ns)
        if evaluation.has_late_findings:
            from specspan.judges.late_results import attach_late_results  # not where no policy has a judge

            attach_late_results(evaluation, ended.pipeline.recorder, ended.span_context, call)

    def _observe_only(self, engine: Engine) -> Engine:
        """Return an engine that decides like ``engine`` and takes no action."""
        if engine.policy.mode is Mode.ENFORCE:
            drop_counts.count("enforcement", "bridged_call")
        if self._observing_engine is None or self._observing_engine[0] is not engine:
            if engine.policy.mode is Mode.ENFORCE:
                _log.warning(_OBSERVED_WARNING)
            self._observing_engine = engine, engine.in_observe_mode()
        return self._observing_engine[1]


def _read_span(span: ReadableSpan, attributes: Any, scope: str, events: Sequence[Event]) -> RecordedSpan:
    max_chars = getattr(getattr(span, "_attributes", None), "max_value_len", None)  # the limit is not public
    own = tuple(Event(event.name, event.attributes or {}) for event in span.events)
    failed = span.status.status_code is StatusCode.ERROR
    return RecordedSpan(attributes, scope, (*own, *events), failed, max_chars, span.dropped_attributes > 0)


def _call_key(span: ReadableSpan, call_id: str | None) -> SpanKey:
    """Return a key for the call, from its parent span and its id, or from its own span if it has no id."""
    own = span.context.span_id if span.context is not None else 0
    return (span.parent.span_id if span.parent is not None else 0), own if call_id is None else hash(call_id)


def _error_type(span: RecordedSpan) -> str | None:
    if not span.failed:
        return None
    error_type = span.attributes.get(ERROR_TYPE)
    return error_type if isinstance(error_type, str) else OTHER
