"""Rules of sampling: a share of traces is kept by chance, and every trace in which something is worth keeping.

Spans alone are sampled: metrics, log records and decision records are made of every call. The sampler and the span
processor that follow these rules are made by `specspan.record.sampling.tail`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from specspan.record import conventions as names

Attributes = Mapping[str, Any]


class Keep(str, Enum):
    """Reason to keep a trace, when one of its spans shows it."""

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
    """Settings of sampling, for ``specspan.configure(sampling=…)`` or a tracer provider of the application's own."""

    ratio: float | None = 1.0
    """Share of traces kept by chance, from 0 to 1; a parent's own sampling goes before it. None leaves the choice to
    the sampler that ``OTEL_TRACES_SAMPLER`` names."""
    keep: frozenset[Keep] = field(default_factory=lambda: ALWAYS_KEPT)
    """Reasons for which any other trace is kept whole."""
    max_bytes: int = 64 << 20
    """Memory that the spans of undecided traces may take, as estimated; beyond it the oldest trace is dropped."""
    max_age_s: float = 300.0
    """Longest time that a trace may stay undecided: with an open span, or waiting for pending findings."""

    def __post_init__(self) -> None:
        if self.ratio is not None and not 0 <= self.ratio <= 1:
            raise ValueError(f"invalid ratio={self.ratio}: give a number from 0 to 1, such as 0.01")
        if self.max_bytes <= 0 or self.max_age_s <= 0:
            raise ValueError("invalid max_bytes or max_age_s: both bound what waits; give positive numbers")


def reason_to_keep(attributes: Attributes, keep: frozenset[Keep]) -> Keep | None:
    """Return the weightiest of ``keep`` that the attributes of a span or a measurement show; None where none is."""
    return next((each for each in Keep if each in keep and _SHOWS[each](attributes)), None)


def is_pending(attributes: Attributes) -> bool:
    """Return whether findings about the call are still to come."""
    return bool(attributes.get(names.CLAUSES_PENDING))


def _has_outcome(outcome: str, clauses: str) -> Callable[[Attributes], bool]:
    """Return a test by the verdict, by a clause that weightier ones hide in the verdict, or by a late finding."""

    def has_outcome(attributes: Attributes) -> bool:
        return (
            attributes.get(names.DECISION_VERDICT) == outcome
            or bool(attributes.get(clauses))
            or attributes.get(names.FINDING_OUTCOME) == outcome
        )

    return has_outcome


def _is_blocked(attributes: Attributes) -> bool:
    return attributes.get(names.DECISION_ACTION) == "block" or attributes.get(names.ERROR_TYPE) == names.ERROR_BLOCKED


def _has_refused_override(attributes: Attributes) -> bool:
    return bool(attributes.get(names.OVERRIDES_REFUSED)) or attributes.get(names.OVERRIDE_RULING) == "refused"


_SHOWS: Mapping[Keep, Callable[[Attributes], bool]] = {
    Keep.VIOLATED: _has_outcome("violated", names.CLAUSES_VIOLATED),
    Keep.ERROR: _has_outcome("error", names.CLAUSES_ERRORED),
    Keep.BLOCKED: _is_blocked,
    Keep.OVERRIDE_REFUSED: _has_refused_override,
    Keep.UNCERTAIN: _has_outcome("uncertain", names.CLAUSES_UNCERTAIN),
    Keep.UNASSESSED: lambda attributes: attributes.get(names.DECISION_VERDICT) == "unassessed",
    Keep.FAILED: lambda attributes: names.ERROR_TYPE in attributes,
}
