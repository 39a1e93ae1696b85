"""A sampler and a span processor for OpenTelemetry's SDK, by which no trace worth keeping is lost to sampling.

The SDK asks a sampler when a span starts, which is before anything is decided about the call. So `RecordAll` has every
span recorded, and what the sampler behind it would have dropped is not marked as sampled: other services are told what
they would have been told. `WholeTraces` holds those spans until a decision in their trace is worth keeping, and hands
them on as sampled then.
"""

from __future__ import annotations

import copy
import os
import threading
import weakref
from collections.abc import Sequence

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, sampling
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.util.types import Attributes

from specspan.guard import guard
from specspan.record import conventions as names
from specspan.record.held_traces import HeldTraces
from specspan.record.sampling import Keep, Sampling

_processors: weakref.WeakSet[WholeTraces] = weakref.WeakSet()


def head_sampler(ratio: float | None) -> sampling.Sampler:
    """A share of new traces, and what the parent says of others; None: what ``OTEL_TRACES_SAMPLER`` says."""
    if ratio is None:
        return sampling._get_from_env_or_default()
    return sampling.ParentBased(sampling.TraceIdRatioBased(ratio))


class RecordAll(sampling.Sampler):
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


class WholeTraces(SpanProcessor):
    """Hands sampled spans on at once, and those of other traces when, and if, their trace turns out worth keeping."""

    def __init__(self, processor: SpanProcessor, settings: Sampling, held: HeldTraces | None = None) -> None:
        self._next = processor
        self._held = held or HeldTraces(settings)
        self._closed = False
        self._lock = threading.RLock()  # a finaliser that the garbage collector runs may end a span
        _processors.add(self)

    @property
    def held_bytes(self) -> int:
        """About what undecided traces take."""
        return self._held.size_bytes

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Count a span of its trace as open."""
        self._next.on_start(span, parent_context)
        context = span.get_span_context()
        if not context.trace_flags.sampled and not self._closed:
            with guard("record.sampling.start"), self._lock:
                self._held.started(context.trace_id)

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
                found = self._held.ended(context.trace_id, span)
            if found is not None:
                reason, spans = found
                for each in spans:
                    self._next.on_end(as_sampled(each, reason))

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush what was handed on; undecided traces stay undecided."""
        return self._next.force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Let go of undecided traces, and shut down what stands behind."""
        self._closed = True
        with guard("record.sampling.shutdown"), self._lock:
            self._held.give_up()
        self._next.shutdown()

    def _start_anew(self) -> None:
        self._lock = threading.RLock()  # another thread of the parent may have held it
        self._held.start_anew()


def as_sampled(span: ReadableSpan, reason: Keep) -> ReadableSpan:
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
