"""A sampler and a span processor for OpenTelemetry's SDK that keep whole traces by what was decided in them.

The SDK asks a sampler when a span starts, before anything is decided about the call. `RecordingSampler` therefore has
every span recorded, and marks as sampled only what the sampler behind it samples, so that other services are told what
they would have been told without it. `TailSamplingProcessor` holds the other spans until a decision in their trace is
worth keeping, and then passes them on as sampled.
"""

from __future__ import annotations

import copy
import os
import sys
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import TraceBasedExemplarFilter
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, sampling
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan.record import conventions as names
from specspan.record.sampling.rules import Keep, Sampling, is_pending, reason_to_keep

# MERGED held_traces: The spans of traces that chance did not keep, held until it is known whether they are worth
# keeping.
#
# A trace here is what one process knows of it. It is decided when a span shows a reason, and it is over when none
# of its
# spans is open any more. The caller sees to it that one thread at a time is in here; a finaliser that ends a span
# in the
# middle of another's work is allowed, so nothing is iterated over while it may change.


TRACE_BYTES = 600
SPAN_BYTES = 4_000
EVENT_BYTES = 1_000
ATTRIBUTE_BYTES = 150
"""About what each takes besides its texts, in Python objects; the benchmark compares them with what is allocated."""
_REMEMBERED_TRACES = 16_384
"""How many traces are remembered that are kept, and as many that were let go."""
T = TypeVar("T")


@dataclass(slots=True)
class _Trace:
    """One that is undecided."""

    since_s: float
    open: int = 0
    spans: list[ReadableSpan] = field(default_factory=list)
    size_bytes: int = TRACE_BYTES
    pending: bool = False


class PendingTraces:
    """Undecided traces, the oldest first, within a bound of memory and of time."""

    def __init__(self, sampling: Sampling, now_s: Callable[[], float] = time.monotonic) -> None:
        self._sampling = sampling
        self._now_s = now_s
        self._traces: dict[int, _Trace] = {}
        self._kept: OrderedDict[int, Keep] = OrderedDict()  # and why: what follows in their traces is kept, too
        self._gone: OrderedDict[int, str] = OrderedDict()  # let go undecided, and why: they are not held any more
        self.size_bytes = 0
        """About what is held."""

    def on_start(self, trace_id: int) -> None:
        """A span of the trace began."""
        if trace_id in self._kept or trace_id in self._gone:
            return
        trace = self._traces.get(trace_id)
        if trace is None:
            self.size_bytes += TRACE_BYTES
            trace = self._traces[trace_id] = _Trace(self._now_s())
        trace.open += 1
        self._enforce_bounds()

    def on_end(self, trace_id: int, span: ReadableSpan) -> tuple[Keep, Sequence[ReadableSpan]] | None:
        """A span ended. What of its trace is to be handed on now, and why; None: nothing, so far."""
        attributes = span.attributes or {}
        reason = self._kept.get(trace_id) or reason_to_keep(attributes, self._sampling.keep)
        if reason is not None:
            return reason, (*self._keep(trace_id, reason), span)
        trace = self._traces.get(trace_id)
        if trace_id in self._gone:
            drop_counts.count("span", self._gone[trace_id])
        elif trace is not None:
            self._hold(trace, span)
            trace.pending = trace.pending or is_pending(attributes)
            trace.open -= 1
            if trace.open <= 0 and not trace.pending:
                self._remove(trace_id)
            self._enforce_bounds()
        return None

    def drop_all(self) -> None:
        """Let go of everything undecided, counted, as nobody will look again."""
        while self._traces:
            self._drop(next(iter(self._traces)), "shutdown")

    def clear(self) -> None:
        """In a forked child: what the parent holds is the parent's."""
        self._traces.clear()
        self.size_bytes = 0

    def _keep(self, trace_id: int, reason: Keep) -> Sequence[ReadableSpan]:
        if self._gone.pop(trace_id, None) is not None:
            drop_counts.count("trace", "kept_in_part")
        _remember(self._kept, trace_id, reason)
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
        """Let go of the oldest while there is too much of them, or they are too old."""
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
        _remember(self._gone, trace_id, reason)
        if trace.spans:
            drop_counts.count("span", reason, len(trace.spans))


def _remember(fates: OrderedDict[int, T], trace_id: int, fate: T) -> None:
    fates[trace_id] = fate
    fates.move_to_end(trace_id)
    while len(fates) > _REMEMBERED_TRACES:
        fates.popitem(last=False)


def estimated_size(span: ReadableSpan) -> int:
    """About how many bytes a span takes while it is held."""
    events = span.events
    size_bytes = SPAN_BYTES + EVENT_BYTES * len(events) + _size_of(span.attributes)
    return size_bytes + sum(_size_of(event.attributes) for event in events)


def _size_of(attributes: Mapping[str, Any] | None) -> int:
    if not attributes:
        return 0
    values = attributes.values()
    return ATTRIBUTE_BYTES * len(attributes) + sum(
        sum(map(sys.getsizeof, value)) if isinstance(value, tuple) else sys.getsizeof(value) for value in values
    )


_processors: weakref.WeakSet[TailSamplingProcessor] = weakref.WeakSet()


def head_sampler(ratio: float | None) -> sampling.Sampler:
    """A share of new traces, and what the parent says of others; None: what ``OTEL_TRACES_SAMPLER`` says."""
    if ratio is None:
        return sampling._get_from_env_or_default()
    return sampling.ParentBased(sampling.TraceIdRatioBased(ratio))


class RecordingSampler(sampling.Sampler):
    """Marks as sampled what ``head`` samples, and has everything else recorded in this process alone."""

    def __init__(self, head: sampling.Sampler) -> None:
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
    ) -> sampling.SamplingResult:
        """What ``head`` says, with ``RECORD_ONLY`` in place of ``DROP``."""
        said = self._head.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)
        if said.decision is not sampling.Decision.DROP:
            return said
        # a sampler that drops gives no attributes back
        return sampling.SamplingResult(sampling.Decision.RECORD_ONLY, attributes, said.trace_state)

    def get_description(self) -> str:
        """With the sampler behind it."""
        return f"RecordAll{{{self._head.get_description()}}}"


class TailSamplingProcessor(SpanProcessor):
    """Hands sampled spans on at once, and those of other traces when, and if, their trace turns out worth keeping."""

    def __init__(self, processor: SpanProcessor, settings: Sampling, held: PendingTraces | None = None) -> None:
        self._next = processor
        self._held = held or PendingTraces(settings)
        self._closed = False
        self._lock = threading.RLock()  # a finaliser that the garbage collector runs may end a span
        _processors.add(self)

    @property
    def pending_bytes(self) -> int:
        """About what undecided traces take."""
        return self._held.size_bytes

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Count a span of its trace as open."""
        self._next.on_start(span, parent_context)
        context = span.get_span_context()
        if not context.trace_flags.sampled and not self._closed:
            with guard("record.sampling.start"), self._lock:
                self._held.on_start(context.trace_id)

    def on_end(self, span: ReadableSpan) -> None:
        """Hand on the span, its whole trace with it, or hold it."""
        context = span.context
        if context is None or context.trace_flags.sampled:
            self._next.on_end(span)
            return
        if self._closed:
            return
        with guard("record.sampling.end"):
            with self._lock:
                found = self._held.on_end(context.trace_id, span)
            if found is not None:
                reason, spans = found
                for each in spans:
                    self._next.on_end(mark_sampled(each, reason))

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush what was handed on; undecided traces stay undecided."""
        return self._next.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Let go of undecided traces, and shut down what stands behind."""
        self._closed = True
        with guard("record.sampling.shutdown"), self._lock:
            self._held.drop_all()
        self._next.shutdown()

    def _start_anew(self) -> None:
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self._held.clear()


def mark_sampled(span: ReadableSpan, reason: Keep) -> ReadableSpan:
    """A copy that exporters take, and that says why it is there: it is no sample by which others can be estimated."""
    context = span.get_span_context()
    if context is None:
        return span
    kept = copy.copy(span)
    flags = TraceFlags(context.trace_flags | TraceFlags.SAMPLED)
    # no public way makes a span with what was dropped from it still counted
    kept._context = SpanContext(context.trace_id, context.span_id, context.is_remote, flags, context.trace_state)
    attributes = BoundedAttributes(attributes={**(span.attributes or {}), names.SAMPLING_KEPT: reason.value})
    attributes.dropped = span.dropped_attributes
    kept._attributes = attributes
    return kept


def _after_fork() -> None:
    for processor in tuple(_processors):
        with guard("record.sampling.fork"):
            processor._start_anew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


# MERGED exemplars: Exemplars of traces that are kept, for OpenTelemetry's SDK: by its own filter, only sampled
# traces have some.


class KeptTraceExemplarFilter(TraceBasedExemplarFilter):
    """Takes what was measured in a sampled span, and what itself says that its trace is kept.

    A violation is counted under the very attribute for which its span, and so its trace, is kept. Of other measurements
    in a trace that chance left out, nobody knows yet whether an exemplar would lead anywhere.
    """

    def __init__(self, keep: frozenset[Keep]) -> None:
        self._keep = keep

    def should_sample(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> bool:
        """Whether the measurement may become an exemplar."""
        if super().should_sample(value, time_unix_nano, attributes, context):
            return True
        in_a_trace = trace.get_current_span(context).get_span_context().is_valid
        return in_a_trace and reason_to_keep(attributes or {}, self._keep) is not None
