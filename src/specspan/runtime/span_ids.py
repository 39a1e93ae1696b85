"""Ids of spans and traces from a generator of random numbers that is not the application's.

OpenTelemetry's own generator draws from Python's shared one: a program that seeds that one gets the same ids again,
and other numbers than without telemetry.
"""

from __future__ import annotations

import random

from opentelemetry.sdk.trace.id_generator import IdGenerator

from specspan._support import process


class RandomSpanIds(IdGenerator):
    """Generator of random ids, seeded by the operating system, and again in every forked child."""

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - ids are unique, not secret
        process.after_fork(self)

    def after_fork(self) -> None:
        """Give a child its own random numbers."""
        self._random.seed()

    def generate_span_id(self) -> int:
        """Return the id of a new span, which is not 0."""
        return self._random.getrandbits(64) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """Return the id of a new trace, which is not 0."""
        return self._random.getrandbits(128) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Return True: every bit of a trace's id is random, so that samplers may go by it."""
        return True
