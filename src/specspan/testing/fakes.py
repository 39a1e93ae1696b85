"""A clock and ids that a test sets, so that whole records can be compared."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from opentelemetry.sdk.trace.id_generator import IdGenerator

_NOON_NS = 1_767_268_800 * 10**9
"""2026-01-01 12:00 UTC."""


@dataclass(slots=True)
class FakeClock:
    """Stands still until it is moved; call it for the time in nanoseconds since 1970."""

    time_unix_nano: int = _NOON_NS

    def __call__(self) -> int:
        """The time it shows."""
        return self.time_unix_nano

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self.time_unix_nano += round(seconds * 10**9)


class FakeDecisionIds:
    """Ids in the form of a UUIDv7, numbered from 1; call it for the next."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self) -> str:
        """The next id."""
        return f"00000000-0000-7000-8000-{next(self._numbers):012x}"


class FakeSpanIds(IdGenerator):
    """Trace and span ids, each numbered from 1."""

    def __init__(self) -> None:
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)

    def generate_span_id(self) -> int:
        """The next span's id."""
        return next(self._spans)

    def generate_trace_id(self) -> int:
        """The next trace's id."""
        return next(self._traces)
