"""Measurement of the benchmarks: side by side in one run, by medians, as a ratio to the hand-written span."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

_ROUNDS = 200
_ROUND_S = 0.001
"""Target time of one round of one piece of work: shorter than a slice of a busy machine."""
_WARM_UP_CALLS = 20
HAND_WRITTEN = "span by hand, 10 attributes"


@dataclass(frozen=True, slots=True)
class Row:
    """Row of the table of results."""

    name: str
    median_us: float
    base_us: float
    """Time of the work it is compared with, measured in the same rounds."""
    limit: float | None = None
    """Ratio that the row should stay under; None without a limit."""

    @property
    def ratio(self) -> float:
        """Return the time as a multiple of the base."""
        return self.median_us / self.base_us


def medians_us(
    works: Mapping[str, Callable[[], object]],
    *,
    rounds: int = _ROUNDS,
    settle: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Return the median time of one call of each, in µs. Rounds take turns, so that a busy moment strikes all alike.

    ``settle`` is called before each round, untimed, to finish what earlier calls left for background threads.
    """
    calls = {name: _calls_a_round(work) for name, work in works.items()}
    times: dict[str, list[float]] = {name: [] for name in works}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, work in works.items():
                settle()
                times[name].append(_time_s(work, calls[name]) / calls[name] * 1e6)
    finally:
        gc.enable()
    return {name: statistics.median(taken) for name, taken in times.items()}


def rows_of(
    works: Mapping[str, Callable[[], object]], provider: TracerProvider, limits: Mapping[str, float]
) -> list[Row]:
    """Return rows for works of which one is the hand-written span, and shut its provider down."""
    try:
        medians = medians_us(works)
    finally:
        provider.shutdown()
    base_us = medians.pop(HAND_WRITTEN)
    return [Row(name, median, base_us, limits.get(name)) for name, median in medians.items()]


def added_us(
    work: Callable[[], object], bare: Callable[[], object], *, settle: Callable[[], object], pairs: int = 1000
) -> float:
    """Return the time that ``work`` takes longer than ``bare``, in µs, as the median over pairs of single calls.

    Where both take far longer than they differ, two medians would differ by their noise.
    """
    differences = []
    for pair in range(pairs + pairs // 10):
        settle()
        first_s = _time_s(bare, 1)
        settle()
        differences.append(_time_s(work, 1) - first_s)
        if pair == pairs // 10:
            differences.clear()  # those were to warm up
    return statistics.median(differences) * 1e6


def best_us(work: Callable[[], object], times: int = 3) -> float:
    """Return the least CPU time of a few runs, in µs, for work of a tenth of a second and more."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken) * 1e6


def cpu_us(work: Callable[[], object], *, settle: Callable[[], object], calls: int = 2000) -> float:
    """Return the CPU time of the process for one call, in µs, with what the call leaves for background threads."""
    settle()
    start = time.process_time()
    for _ in range(calls):
        work()
    settle()
    return (time.process_time() - start) / calls * 1e6


def hand_written_span(provider: TracerProvider) -> Callable[[], None]:
    """Return the span that an engineer writes by hand around a model call, exported by a batch processor to nowhere."""
    tracer: Any = provider.get_tracer("benchmark")
    tracer.start_span = tracer.start_span  # the method as of now: instrumenting a client wraps it for the whole process
    attributes = {f"gen_ai.request.attribute_{number}": f"value {number}" for number in range(10)}

    def call() -> None:
        with tracer.start_as_current_span("chat model", kind=SpanKind.CLIENT, attributes=attributes):
            pass

    return call


def provider_to_nowhere() -> TracerProvider:
    """Return a tracer provider whose spans are batched and then dropped."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
    return provider


class _Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def _calls_a_round(work: Callable[[], object]) -> int:
    _time_s(work, _WARM_UP_CALLS)  # or what is made once, at the first call, would decide
    calls = 1
    while (taken := _undisturbed_s(work, calls)) < _ROUND_S / 2 and calls < 1_000_000:
        calls *= 2
    return max(1, int(calls * _ROUND_S / taken))


def _undisturbed_s(work: Callable[[], object], calls: int) -> float:
    """Return the least of a few times, as a busy background thread would make rounds of too few calls."""
    return min(_time_s(work, calls) for _ in range(5))


def _time_s(work: Callable[[], object], calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        work()
    return time.perf_counter() - start
