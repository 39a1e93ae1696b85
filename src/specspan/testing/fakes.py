"""Clock and ids that a test sets, so that whole records can be compared."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from opentelemetry.sdk.trace.id_generator import IdGenerator

_NOON_NS = 1_767_268_800 * 10**9
"""2026-01-01 12:00 UTC."""


@dataclass(slots=True)
class FakeClock:
    """Clock that stands still until a test advances it; a call returns nanoseconds since 1970."""

    time_unix_nano: int = _NOON_NS

    def __call__(self) -> int:
        """Return the time in nanoseconds since 1970."""
        return self.time_unix_nano

    def advance(self, seconds: float) -> None:
        """Advance the clock by ``seconds``."""
        self.time_unix_nano += round(seconds * 10**9)


class FakeDecisionIds:
    """Generator of ids in the form of a UUIDv7, numbered from 1."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self) -> str:
        """Return the next id."""
        return f"00000000-0000-7000-8000-{next(self._numbers):012x}"


class FakeSpanIds(IdGenerator):
    """Generator of trace and span ids, each numbered from 1."""

    def __init__(self) -> None:
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)

    def generate_span_id(self) -> int:
        """Return the id of the next span."""
        return next(self._spans)

    def generate_trace_id(self) -> int:
        """Return the id of the next trace."""
        return next(self._traces)
