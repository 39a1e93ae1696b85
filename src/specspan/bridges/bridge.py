"""The bridge: ended spans in, decisions out. What it takes is written once, for all dialects.

The application waits while a span ends, so no more is done there than to see whether it is a model call's, and to queue
it. A thread of the bridge's own reads and decides it. What is over can only be observed, whatever the policy says.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import SpanContext, StatusCode, TracerProvider

from specspan._support import drop_counts
from specspan.bridges.dialect import Dialect, Event, Recorded
from specspan.bridges.processors import BySpan, Key, LogTap, SpanTap, key_of, tap
from specspan.call import CallContext
from specspan.decision import Mode, Override
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.instrument.coexistence import active_call_in, is_claimed, is_model_call, measuring_scope, shared_metrics
from specspan.instrument.context import current_context, current_overrides
from specspan.instrument.pipeline import Pipeline, active
from specspan.record.batching import BatchWorker
from specspan.record.call_end import CallRecord, EndKind, Timing
from specspan.record.conventions import DECISION_ID, INSTRUMENTATION_NAME

QUEUE_SIZE = 2_048
"""Ended calls waiting to be decided; each holds what was recorded of it."""
OPEN_SPANS = 4_096
"""Of so many open spans at once it is remembered what was logged beside them, or that a call inside was decided."""
_SHUTDOWN_S = 5.0
_OBSERVED = (
    "the policy's mode is enforce, and calls that others trace are over when they are seen, so these are only "
    "observed; to enforce it on them, too, have specspan meet them (specspan.instrument())"
)
_log = logging.getLogger("specspan")


@dataclass(frozen=True, slots=True)
class _Call:
    """An ended span that is a model call's, until it is decided."""

    recorded: Recorded
    dialect: Dialect
    where: SpanContext
    duration_s: float
    measuring_scope: str | None
    provider: TracerProvider | None
    pipeline: Pipeline
    context: CallContext
    overrides: tuple[Override, ...]


class Bridge:
    """Decides the model calls that spans of others tell of, under the policy in force when they end."""

    def __init__(self, dialects: Iterable[Dialect], *, queue_size: int = QUEUE_SIZE) -> None:
        self._dialects = tuple(sorted(dialects, key=lambda dialect: dialect.general))
        self._taps: list[SpanTap | LogTap] = []
        self._beside: BySpan[list[Event]] = BySpan(OPEN_SPANS, "bridged_content")
        self._handed_over: BySpan[dict[str, Any]] = BySpan(OPEN_SPANS, "bridged_content")
        self._own: BySpan[bool] = BySpan(OPEN_SPANS)
        self._met: BySpan[bool] = BySpan(OPEN_SPANS)
        self._decided: BySpan[bool] = BySpan(OPEN_SPANS)
        self._observing: tuple[Engine, Engine] | None = None
        self._worker: BatchWorker[_Call] = BatchWorker(
            "bridged_call", self._decide_all, queue_size=queue_size, batch_size=1
        )
        atexit.register(self.shutdown)  # before the recorder's, which was registered before

    def listen_to(self, provider: Any) -> bool:
        """Have the spans, or the log records, of a provider met. False: it takes no processors."""
        found = tap(provider)
        if found is None:
            return False
        found.listener = self
        self._taps.append(found)
        return True

    def began(self, span: Span, within: Context) -> None:
        """A span that begins inside a call that specspan meets, or right below its span, is of that call."""
        key, scope, loan = key_of(span.get_span_context()), span.instrumentation_scope, active_call_in(within)
        if scope is not None and scope.name == INSTRUMENTATION_NAME:
            if is_model_call(span.attributes or {}):
                self._own.put(key, lambda: True)
        elif (loan is not None and loan.package is not None) or (span.parent and key_of(span.parent) in self._own):
            self._met.put(key, lambda: True)

    def ended(self, span: ReadableSpan, provider: TracerProvider | None) -> None:
        """Queue a model call that nobody has decided yet."""
        context, facts = span.context, span.attributes or {}
        if context is None:
            return
        key = key_of(context)
        self._own.take(key)
        met, events, content = self._met.take(key), self._beside.take(key), self._handed_over.take(key)
        scope = span.instrumentation_scope.name if span.instrumentation_scope is not None else ""
        recorded = _recorded(span, {**facts, **content} if content else facts, scope, events or ())
        dialect = self._dialect_of(recorded)
        if dialect is None:
            return
        if span.parent is not None:  # whose call this is, too, if it is a model call's
            self._met.put(key_of(span.parent), lambda: True)
        call = _call(span, dialect.call_id(recorded))
        if scope == INSTRUMENTATION_NAME or DECISION_ID in facts or is_claimed(context):
            self._decided.put(call, lambda: True)
        elif not (met or call in self._decided or _is_own_thread()):
            self._queue(span, recorded, dialect, context, provider)

    def logged(self, span: Key, event: Event) -> None:
        """Keep it until the span ends."""
        self._beside.put(span, list).append(event)

    def handed_over(self, context: SpanContext, content: dict[str, Any]) -> None:
        """Keep content that a completion hook was given, until the span ends."""
        self._handed_over.put(key_of(context), dict).update(content)

    def force_flush(self, timeout_s: float) -> bool:
        """Decide everything that ended so far; False when that took longer than ``timeout_s``."""
        return self._worker.flush().wait(timeout_s)

    def shutdown(self) -> None:
        """Take no more calls, and decide those that ended; what is not decided in 5 s is counted as dropped."""
        atexit.unregister(self.shutdown)
        for each in self._taps:
            if each.listener is self:
                each.listener = None
        self._worker.shutdown(_SHUTDOWN_S)

    def _dialect_of(self, recorded: Recorded) -> Dialect | None:
        return next((dialect for dialect in self._dialects if dialect.speaks(recorded)), None)

    def _queue(
        self,
        span: ReadableSpan,
        recorded: Recorded,
        dialect: Dialect,
        context: SpanContext,
        provider: TracerProvider | None,
    ) -> None:
        pipeline = active()
        if pipeline is None or pipeline.engine is None:
            return
        lasted_s = dialect.lasted_s(recorded)
        if lasted_s is None:
            lasted_s = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
        said = current_context(), current_overrides()
        self._worker.put(_Call(recorded, dialect, context, lasted_s, measuring_scope(span), provider, pipeline, *said))

    def _decide_all(self, calls: Sequence[_Call]) -> None:
        for each in calls:
            self._decide(each)

    def _decide(self, ended: _Call) -> None:
        started_ns = time.time_ns()
        read = ended.dialect.read(ended.recorded)
        engine = ended.pipeline.engine
        if read is None or engine is None:
            return
        call = replace(read, context=ended.context)
        evaluation = self._observing_as(engine).open(ended.overrides, call)
        run_sync(evaluation.input(call))
        if call.response is not None:
            run_sync(evaluation.output(call))
        timing = Timing(ended.duration_s, None, dict(evaluation.overhead_ns))
        kind = EndKind.FAILED if ended.recorded.failed else EndKind.COMPLETED
        told = CallRecord(
            ended.where,
            call,
            evaluation.decide(),
            kind,
            _error_of(ended.recorded),
            timing,
            shared_metrics(ended.measuring_scope, streaming=call.request.streaming)._replace(span=True),
            ended.dialect.name,
        )
        ended.pipeline.recorder.record_bridged_call(told, ended.provider, started_ns)

    def _observing_as(self, engine: Engine) -> Engine:
        """An engine that decides as ``engine`` and takes no action."""
        if engine.policy.mode is Mode.ENFORCE:
            drop_counts.count("enforcement", "bridged_call")
        if self._observing is None or self._observing[0] is not engine:
            if engine.policy.mode is Mode.ENFORCE:
                _log.warning(_OBSERVED)
            self._observing = engine, engine.in_observe_mode()
        return self._observing[1]


def _recorded(span: ReadableSpan, facts: Any, scope: str, events: Sequence[Event]) -> Recorded:
    longest = getattr(getattr(span, "_attributes", None), "max_value_len", None)  # no public way tells the limit
    own = tuple(Event(event.name, event.attributes or {}) for event in span.events)
    failed = span.status.status_code is StatusCode.ERROR
    return Recorded(facts, scope, (*own, *events), failed, longest, span.dropped_attributes > 0)


def _call(span: ReadableSpan, call_id: str | None) -> Key:
    """A call by what tells it apart from others below the same span; by the span itself where nothing does."""
    own = span.context.span_id if span.context is not None else 0
    return (span.parent.span_id if span.parent is not None else 0), own if call_id is None else hash(call_id)


def _error_of(recorded: Recorded) -> str | None:
    if not recorded.failed:
        return None
    found = recorded.attributes.get("error.type")
    return found if isinstance(found, str) else "_OTHER"


def _is_own_thread() -> bool:
    """Whether it is a check's own call of a model: to decide that one by the same check would never end."""
    return threading.current_thread().name.startswith("specspan-")
