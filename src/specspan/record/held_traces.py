"""The spans of traces that chance did not keep, held until it is known whether they are worth keeping.

A trace here is what one process knows of it. It is decided when a span shows a reason, and it is over when none of its
spans is open any more. The caller sees to it that one thread at a time is in here; a finaliser that ends a span in the
middle of another's work is allowed, so nothing is iterated over while it may change.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from opentelemetry.sdk.trace import ReadableSpan

from specspan import losses
from specspan.record.sampling import Keep, Sampling, is_pending, reason_to_keep

TRACE_BYTES = 600
SPAN_BYTES = 4_000
EVENT_BYTES = 1_000
ATTRIBUTE_BYTES = 150
"""About what each takes besides its texts, in Python objects; the benchmark compares them with what is allocated."""
_FATES = 16_384
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


class HeldTraces:
    """Undecided traces, the oldest first, within a bound of memory and of time."""

    def __init__(self, sampling: Sampling, now_s: Callable[[], float] = time.monotonic) -> None:
        self._sampling = sampling
        self._now_s = now_s
        self._traces: dict[int, _Trace] = {}
        self._kept: OrderedDict[int, Keep] = OrderedDict()  # and why: what follows in their traces is kept, too
        self._gone: OrderedDict[int, str] = OrderedDict()  # let go undecided, and why: they are not held any more
        self.size_bytes = 0
        """About what is held."""

    def started(self, trace_id: int) -> None:
        """A span of the trace began."""
        if trace_id in self._kept or trace_id in self._gone:
            return
        trace = self._traces.get(trace_id)
        if trace is None:
            self.size_bytes += TRACE_BYTES
            trace = self._traces[trace_id] = _Trace(self._now_s())
        trace.open += 1
        self._settle()

    def ended(self, trace_id: int, span: ReadableSpan) -> tuple[Keep, Sequence[ReadableSpan]] | None:
        """A span ended. What of its trace is to be handed on now, and why; None: nothing, so far."""
        attributes = span.attributes or {}
        reason = self._kept.get(trace_id) or reason_to_keep(attributes, self._sampling.keep)
        if reason is not None:
            return reason, (*self._decided(trace_id, reason), span)
        trace = self._traces.get(trace_id)
        if trace_id in self._gone:
            losses.count("span", self._gone[trace_id])
        elif trace is not None:
            self._hold(trace, span)
            trace.pending = trace.pending or is_pending(attributes)
            trace.open -= 1
            if trace.open <= 0 and not trace.pending:
                self._take(trace_id)
            self._settle()
        return None

    def give_up(self) -> None:
        """Let go of everything undecided, counted, as nobody will look again."""
        while self._traces:
            self._let_go(next(iter(self._traces)), "shutdown")

    def start_anew(self) -> None:
        """In a forked child: what the parent holds is the parent's."""
        self._traces.clear()
        self.size_bytes = 0

    def _decided(self, trace_id: int, reason: Keep) -> Sequence[ReadableSpan]:
        if self._gone.pop(trace_id, None) is not None:
            losses.count("trace", "kept_in_part")
        _remember(self._kept, trace_id, reason)
        trace = self._take(trace_id)
        return trace.spans if trace is not None else ()

    def _hold(self, trace: _Trace, span: ReadableSpan) -> None:
        size_bytes = size_of(span)
        trace.spans.append(span)
        trace.size_bytes += size_bytes
        self.size_bytes += size_bytes

    def _take(self, trace_id: int) -> _Trace | None:
        trace = self._traces.pop(trace_id, None)
        if trace is not None:
            self.size_bytes -= trace.size_bytes
        return trace

    def _settle(self) -> None:
        """Let go of the oldest while there is too much of them, or they are too old."""
        while self._traces:
            oldest = next(iter(self._traces))
            trace = self._traces[oldest]
            if self.size_bytes > self._sampling.max_bytes:
                self._let_go(oldest, "memory")
            elif self._now_s() - trace.since_s > self._sampling.max_age_s:
                # every span ended and no finding came that was worth keeping: it was sampled out, and is not lost
                self._let_go(oldest, "too_old" if trace.open > 0 else None)
            else:
                return

    def _let_go(self, trace_id: int, reason: str | None) -> None:
        trace = self._take(trace_id)
        if trace is None or reason is None:
            return
        _remember(self._gone, trace_id, reason)
        if trace.spans:
            losses.count("span", reason, len(trace.spans))


def _remember(fates: OrderedDict[int, T], trace_id: int, fate: T) -> None:
    fates[trace_id] = fate
    fates.move_to_end(trace_id)
    while len(fates) > _FATES:
        fates.popitem(last=False)


def size_of(span: ReadableSpan) -> int:
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
