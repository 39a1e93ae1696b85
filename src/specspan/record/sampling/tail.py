"""Sampler and span processor for OpenTelemetry's SDK that keep whole traces by what was decided in them.

The SDK asks a sampler when a span starts, before anything is decided about the call. `RecordingSampler` therefore has
every span recorded, and marks as sampled only what the sampler behind it samples, so that other services are told what
they would have been told without it. `TailSamplingProcessor` holds the other spans until a decision in their trace is
worth keeping, and then passes them on as sampled. By the SDK's own filter only sampled traces have exemplars, so
`specspan.record.sampling.exemplars` adds those of traces that are kept.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

from specspan._support import drop_counts, process
from specspan._support.caches import BoundedCache
from specspan._support.guard import guard
from specspan._support.otel_private import copy_span, sampler_from_env
from specspan.record import conventions as names
from specspan.record.sampling.rules import Keep, Sampling, is_pending, reason_to_keep

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import ExemplarFilter

TRACE_BYTES = 600
SPAN_BYTES = 4_000
EVENT_BYTES = 1_000
ATTRIBUTE_BYTES = 150
"""Estimates of what each takes besides its texts, in Python objects; the benchmark compares them with allocations."""
_REMEMBERED_TRACES = 16_384
"""Number of kept traces that are remembered, and of dropped ones."""


def sampler(sampling: Sampling) -> Sampler:
    """Return the sampler for ``TracerProvider(sampler=…)``: it records every span and marks what chance keeps."""
    return RecordingSampler(head_sampler(sampling.ratio))


def processor(sampling: Sampling, next_processor: SpanProcessor) -> SpanProcessor:
    """Return the span processor that passes what is kept on to ``next_processor``, such as a batch processor."""
    return TailSamplingProcessor(next_processor, sampling)


def exemplar_filter(sampling: Sampling) -> ExemplarFilter:
    """Return the filter for ``MeterProvider(exemplar_filter=…)``, by which violations have exemplars."""
    from specspan.record.sampling.exemplars import KeptTraceExemplarFilter  # the SDK of metrics: where it is needed

    return KeptTraceExemplarFilter(sampling.keep)


def head_sampler(ratio: float | None) -> Sampler:
    """Return a sampler of a share of new traces, by a parent's choice first; for None, ``OTEL_TRACES_SAMPLER``'s."""
    if ratio is None:
        return sampler_from_env()
    return ParentBased(TraceIdRatioBased(ratio))


class RecordingSampler(Sampler):
    """Sampler that marks as sampled what ``head`` samples, and has all other spans recorded in this process alone."""

    def __init__(self, head: Sampler) -> None:
        self._head = head

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """Return the result of ``head``, with ``RECORD_ONLY`` in place of ``DROP``."""
        result = self._head.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if result.decision is not Decision.DROP:
            return result
        # a sampler that drops gives no attributes back
        return SamplingResult(Decision.RECORD_ONLY, attributes, result.trace_state)

    def get_description(self) -> str:
        """Return the description, with that of ``head``."""
        return f"RecordingSampler{{{self._head.get_description()}}}"


class TailSamplingProcessor(SpanProcessor):
    """Span processor that passes sampled spans on at once, and other spans once their trace is worth keeping."""

    def __init__(
        self, next_processor: SpanProcessor, sampling: Sampling, pending_traces: PendingTraces | None = None
    ) -> None:
        self._next = next_processor
        self._pending = pending_traces or PendingTraces(sampling)
        self._closed = False
        self._lock = threading.RLock()  # a finaliser that the garbage collector runs may end a span
        process.after_fork(self)

    @property
    def pending_bytes(self) -> int:
        """Estimated size of the undecided traces."""
        return self._pending.size_bytes

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Count a span of its trace as open."""
        self._next.on_start(span, parent_context)
        context = span.get_span_context()
        if not context.trace_flags.sampled and not self._closed:
            with guard("record.sampling.start"), self._lock:
                self._pending.on_start(context.trace_id)

    def on_end(self, span: ReadableSpan) -> None:
        """Pass the span on, with its whole trace, or hold it."""
        context = span.context
        if context is None or context.trace_flags.sampled:
            self._next.on_end(span)
            return
        if self._closed:
            return
        with guard("record.sampling.end"):
            with self._lock:
                kept = self._pending.on_end(context.trace_id, span)
            if kept is not None:
                reason, spans = kept
                for each in spans:
                    self._next.on_end(mark_sampled(each, reason))

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush what was passed on; undecided traces stay undecided."""
        return self._next.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Drop undecided traces, and shut the next processor down."""
        self._closed = True
        with guard("record.sampling.shutdown"), self._lock:
            self._pending.drop_all()
        self._next.shutdown()

    def after_fork(self) -> None:
        """Take a new lock, as a thread of the parent may have held the old one, and leave the parent its traces."""
        self._lock = threading.RLock()
        self._pending.clear()


@dataclass(slots=True)
class _Trace:
    """Trace that is undecided."""

    since_s: float
    open: int = 0
    """Number of its spans that have not ended."""
    spans: list[ReadableSpan] = field(default_factory=list)
    """Its spans that ended."""
    size_bytes: int = TRACE_BYTES
    pending: bool = False
    """True while findings of it are still to come."""


class PendingTraces:
    """Undecided traces, the oldest first, within a bound of memory and of time.

    A trace here is the part of it that this process knows. It is decided when a span shows a reason to keep it, and it
    is over when none of its spans is open. The caller lets one thread at a time in; a finaliser that ends a span in the
    middle of another call is allowed, so nothing is iterated over while it may change.
    """

    def __init__(self, sampling: Sampling, now_s: Callable[[], float] = time.monotonic) -> None:
        self._sampling = sampling
        self._now_s = now_s
        self._traces: dict[int, _Trace] = {}
        self._kept: BoundedCache[int, Keep] = BoundedCache(_REMEMBERED_TRACES)
        """Reasons of kept traces, whose later spans are kept, too."""
        self._dropped: BoundedCache[int, str] = BoundedCache(_REMEMBERED_TRACES)
        """Reasons of traces dropped undecided, which are not held again."""
        self.size_bytes = 0
        """Estimated size of all that is held."""

    def on_start(self, trace_id: int) -> None:
        """Count a span of the trace as open."""
        if trace_id in self._kept or trace_id in self._dropped:
            return
        trace = self._traces.get(trace_id)
        if trace is None:
            self.size_bytes += TRACE_BYTES
            trace = self._traces[trace_id] = _Trace(self._now_s())
        trace.open += 1
        self._enforce_bounds()

    def on_end(self, trace_id: int, span: ReadableSpan) -> tuple[Keep, Sequence[ReadableSpan]] | None:
        """Return the spans of the trace to pass on now, and the reason; hold the span and return None so far."""
        attributes = span.attributes or {}
        reason = self._kept.get(trace_id) or reason_to_keep(attributes, self._sampling.keep)
        if reason is not None:
            return reason, (*self._keep(trace_id, reason), span)
        trace = self._traces.get(trace_id)
        if trace_id in self._dropped:
            drop_counts.count("span", self._dropped[trace_id])
        elif trace is not None:
            self._hold(trace, span)
            trace.pending = trace.pending or is_pending(attributes)
            trace.open -= 1
            if trace.open <= 0 and not trace.pending:
                self._remove(trace_id)
            self._enforce_bounds()
        return None

    def drop_all(self) -> None:
        """Drop every undecided trace, counted, at the end of the process."""
        while self._traces:
            self._drop(next(iter(self._traces)), "shutdown")

    def clear(self) -> None:
        """Forget every undecided trace in a forked child, uncounted: they are the parent's."""
        self._traces.clear()
        self.size_bytes = 0

    def _keep(self, trace_id: int, reason: Keep) -> Sequence[ReadableSpan]:
        if self._dropped.pop(trace_id, None) is not None:
            drop_counts.count("trace", "kept_in_part")
        self._kept[trace_id] = reason
        self._kept.move_to_end(trace_id)
        trace = self._remove(trace_id)
        return trace.spans if trace is not None else ()

    def _hold(self, trace: _Trace, span: ReadableSpan) -> None:
        size_bytes = estimated_size(span)
        trace.spans.append(span)
        trace.size_bytes += size_bytes
        self.size_bytes += size_bytes

    def _remove(self, trace_id: int) -> _Trace | None:
        trace = self._traces.pop(trace_id, None)
        if trace is not None:
            self.size_bytes -= trace.size_bytes
        return trace

    def _enforce_bounds(self) -> None:
        """Drop the oldest traces while they take too much memory or are too old."""
        while self._traces:
            oldest = next(iter(self._traces))
            trace = self._traces[oldest]
            if self.size_bytes > self._sampling.max_bytes:
                self._drop(oldest, "memory")
            elif self._now_s() - trace.since_s > self._sampling.max_age_s:
                # every span ended and no finding came that was worth keeping: it was sampled out, and is not lost
                self._drop(oldest, "too_old" if trace.open > 0 else None)
            else:
                return

    def _drop(self, trace_id: int, reason: str | None) -> None:
        trace = self._remove(trace_id)
        if trace is None or reason is None:
            return
        self._dropped[trace_id] = reason
        if trace.spans:
            drop_counts.count("span", reason, len(trace.spans))


def estimated_size(span: ReadableSpan) -> int:
    """Return about how many bytes a span takes while it is held."""
    events = span.events
    size_bytes = SPAN_BYTES + EVENT_BYTES * len(events) + _attributes_size(span.attributes)
    return size_bytes + sum(_attributes_size(event.attributes) for event in events)


def _attributes_size(attributes: Mapping[str, Any] | None) -> int:
    if not attributes:
        return 0
    values = attributes.values()
    return ATTRIBUTE_BYTES * len(attributes) + sum(
        sum(map(sys.getsizeof, value)) if isinstance(value, tuple) else sys.getsizeof(value) for value in values
    )


def mark_sampled(span: ReadableSpan, reason: Keep) -> ReadableSpan:
    """Return a copy that exporters take, with the reason on it: others cannot be estimated by such a span."""
    context = span.get_span_context()
    if context is None:
        return span
    flags = TraceFlags(context.trace_flags | TraceFlags.SAMPLED)
    sampled_context = SpanContext(context.trace_id, context.span_id, context.is_remote, flags, context.trace_state)
    attributes = BoundedAttributes(attributes={**(span.attributes or {}), names.SAMPLING_KEPT: reason.value})
    attributes.dropped = span.dropped_attributes
    return copy_span(span, sampled_context, attributes)
