"""Which traces are kept: a share of all by chance, and besides every one in which something is worth keeping.

Spans alone are sampled: metrics, log records and decision records are made of every call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from specspan.record import conventions as names

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import ExemplarFilter
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.sampling import Sampler

Attributes = Mapping[str, Any]


class Keep(str, Enum):
    """What makes a trace worth keeping, when it is on one of its spans."""

    VIOLATED = "violated"
    """A clause was violated, whatever was done about it."""
    ERROR = "error"
    """A check failed, so that a clause was not decided."""
    BLOCKED = "blocked"
    OVERRIDE_REFUSED = "override_refused"
    UNCERTAIN = "uncertain"
    UNASSESSED = "unassessed"
    """A decision that no check looked at."""
    FAILED = "failed"
    """The application's own error: any span with ``error.type``."""


ALWAYS_KEPT = frozenset({Keep.VIOLATED, Keep.ERROR, Keep.BLOCKED, Keep.OVERRIDE_REFUSED})


@dataclass(frozen=True, slots=True)
class Sampling:
    """How traces are sampled, for ``specspan.configure(sampling=…)`` or a tracer provider of the application's own."""

    ratio: float | None = 1.0
    """The share of traces kept by chance, from 0 to 1; a parent's own sampling goes before it. None: what
    ``OTEL_TRACES_SAMPLER`` says."""
    keep: frozenset[Keep] = field(default_factory=lambda: ALWAYS_KEPT)
    """Of the others, those with one of these on any span are kept whole."""
    max_bytes: int = 64 << 20
    """About how much memory the spans of undecided traces may take; then the oldest trace is let go."""
    max_age_s: float = 300.0
    """How long a trace may stay undecided, that is unended, or waiting for findings that are pending."""

    def __post_init__(self) -> None:
        if self.ratio is not None and not 0 <= self.ratio <= 1:
            raise ValueError(f"ratio={self.ratio} is no share of traces; give a number from 0 to 1, such as 0.01")
        if self.max_bytes <= 0 or self.max_age_s <= 0:
            raise ValueError("max_bytes and max_age_s bound what waits; give positive numbers")

    def sampler(self) -> Sampler:
        """For ``TracerProvider(sampler=…)``: everything is recorded, and what chance keeps is marked as sampled."""
        from specspan.record.sampling.tail import RecordingSampler, head_sampler

        return RecordingSampler(head_sampler(self.ratio))

    def processor(self, processor: SpanProcessor) -> SpanProcessor:
        """What stands before ``processor`` (a batch processor with its exporter), and hands on what is kept."""
        from specspan.record.sampling.tail import TailSamplingProcessor

        return TailSamplingProcessor(processor, self)

    def exemplar_filter(self) -> ExemplarFilter:
        """For ``MeterProvider(exemplar_filter=…)``: exemplars of violations lead to their traces, which are kept."""
        from specspan.record.sampling.tail import KeptTraceExemplarFilter

        return KeptTraceExemplarFilter(self.keep)


def reason_to_keep(attributes: Attributes, keep: frozenset[Keep]) -> Keep | None:
    """The first of ``keep`` that the attributes of a span or a measurement show, the weightiest first."""
    return next((each for each in Keep if each in keep and _SHOWN[each](attributes)), None)


def is_pending(attributes: Attributes) -> bool:
    """Whether findings about the call are still to come."""
    return bool(attributes.get(names.CLAUSES_PENDING))


def _finds(outcome: str, clauses: str) -> Callable[[Attributes], bool]:
    """By the decision's verdict, by a clause that weightier ones hide there, or by a late finding."""

    def shown(attributes: Attributes) -> bool:
        return (
            attributes.get(names.DECISION_VERDICT) == outcome
            or bool(attributes.get(clauses))
            or attributes.get(names.FINDING_OUTCOME) == outcome
        )

    return shown


def _blocked(attributes: Attributes) -> bool:
    return attributes.get(names.DECISION_ACTION) == "block" or attributes.get(names.ERROR_TYPE) == names.ERROR_BLOCKED


def _override_refused(attributes: Attributes) -> bool:
    return bool(attributes.get(names.OVERRIDES_REFUSED)) or attributes.get(names.OVERRIDE_RULING) == "refused"


_SHOWN: Mapping[Keep, Callable[[Attributes], bool]] = {
    Keep.VIOLATED: _finds("violated", names.CLAUSES_VIOLATED),
    Keep.ERROR: _finds("error", names.CLAUSES_ERRORED),
    Keep.BLOCKED: _blocked,
    Keep.OVERRIDE_REFUSED: _override_refused,
    Keep.UNCERTAIN: _finds("uncertain", names.CLAUSES_UNCERTAIN),
    Keep.UNASSESSED: lambda attributes: attributes.get(names.DECISION_VERDICT) == "unassessed",
    Keep.FAILED: lambda attributes: names.ERROR_TYPE in attributes,
}
