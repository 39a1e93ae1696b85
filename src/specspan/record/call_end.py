"""Facts about a call that is over, as instrumentation hands them to the recorder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from specspan._support.fast_dataclass import fast_init
from specspan._support.interruption import is_interruption
from specspan.call import ModelCall
from specspan.decision import Decision
from specspan.errors import Blocked


class EndKind(str, Enum):
    """Way in which a call, or a decorated function, came to its end."""

    COMPLETED = "completed"
    CLOSED = "closed"
    """The consumer of a stream closed it before its end."""
    ABANDONED = "abandoned"
    """The consumer of a stream let go of it; it was collected."""
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """A signal's handler, or another thread, raised in it."""
    FAILED = "failed"
    BLOCKED = "blocked"
    """The policy stopped it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """End of a call: its kind, and the exception that caused it."""

    kind: EndKind
    error: BaseException | None = None
    """The exception that was raised, where one was."""

    @classmethod
    def from_error(cls, error: BaseException) -> Ending:
        """Return the ending of work that ``error`` left: blocked, cancelled or interrupted from outside, or failed."""
        if isinstance(error, Blocked):
            return cls(EndKind.BLOCKED, error)
        # concurrent.futures', asyncio's and anyio's cancellations share only the name
        cancelled = any(kind.__name__ in ("CancelledError", "Cancelled") for kind in type(error).__mro__)
        if cancelled:
            return cls(EndKind.CANCELLED, error)
        return cls(EndKind.INTERRUPTED if is_interruption(error) else EndKind.FAILED, error)


@fast_init
@dataclass(frozen=True, slots=True)
class Timing:
    """Duration of a call and of its parts, by a monotonic clock."""

    duration_s: float
    time_to_first_chunk_s: float | None = None
    """Only for streams whose first chunk came."""
    overhead_ns: Mapping[str, int] = field(default_factory=dict)
    """Time that specspan itself cost the caller, by stage."""
    held_s: float | None = None
    """Longest time for which a policy held back a chunk of a stream; None where none is held back."""


class SharedWith(NamedTuple):
    """Parts of a call's telemetry that another instrumentation makes."""

    span: bool = False
    """The span is theirs: they end it."""
    duration: bool = False
    """They measure how long the call took."""
    tokens: bool = False
    """They measure its tokens."""


NOT_SHARED = SharedWith()


class CallRecord(NamedTuple):
    """Call that is over, from which metrics, log records and decision records are made off the caller's thread.

    A named tuple, as one is made for every call: a frozen dataclass takes three times as long to make. It holds no
    exception: that would keep the application's frames alive while it waits.
    """

    span_context: SpanContext
    """Trace and span of the call, sampled or not."""
    call: ModelCall
    decision: Decision | None
    kind: EndKind
    error_type: str | None
    """``error.type``; None when the call ended well."""
    timing: Timing
    shared_with: SharedWith = NOT_SHARED
    dialect: str | None = None
    """Dialect of the instrumentation that reported the call; None for a call that specspan met itself."""

    @property
    def context(self) -> Context:
        """Context in which the call's span is current."""
        return set_span_in_context(NonRecordingSpan(self.span_context), Context())
