"""Test of sampling under load: 100,000 calls, 1 % kept by chance, one in 1,000 violating a clause.

Run this module with ``python -m benchmarks.sampling``. The run prints its totals, and ends with an error if a violating
trace is not whole, a call was not counted, or more memory was held than allowed.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import specspan
from specspan._support import drop_counts
from specspan.record.sampling import tail
from specspan.record.sampling.tail import TailSamplingProcessor

SPANS_A_TRACE = 3
_OPEN_TRACES = 200
"""Traces that are open at any moment."""
_SPEC = "# Manners {#manners}\n\n## Be kind {#be_kind authority=user}\n\nSay nothing rude.\n"
_POLICY = """
spec: manners.md
clauses:
  be_kind: {checks: [{pattern: {stage: output, any: ['shut up'], reason: rude}}]}
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of a run."""

    calls: int
    violating: int
    """Traces in which a call violated the clause, by the decision records."""
    broken: int
    """Violating traces of which not every span was exported."""
    kept: int
    """Traces that were exported."""
    torn: int
    """Exported traces of which some span is missing."""
    counted: int
    """Calls in the counter ``specspan.decisions``."""
    recorded: int
    """Decision records."""
    peak_bytes: int
    """Largest amount of memory that was held, as specspan estimates it."""
    lost: Mapping[tuple[str, str], int]

    def complaints(self, max_bytes: int) -> list[str]:
        """Return a message for each total that must not be so."""
        wrong = {
            f"{self.broken} of {self.violating} violating traces are not whole": self.broken,
            f"{self.torn} exported traces are not whole": self.torn,
            f"metrics count {self.counted} of {self.calls} calls": self.counted != self.calls,
            f"there are {self.recorded} records of {self.calls} calls": self.recorded != self.calls,
            f"{self.peak_bytes} bytes were held, and {max_bytes} are allowed": self.peak_bytes > max_bytes,
            f"lost: {dict(self.lost)}": self.lost,
            "no call violated the clause": not self.violating,
        }
        return [complaint for complaint, is_so in wrong.items() if is_so]


class _Spans(SpanExporter):
    def __init__(self) -> None:
        self.by_trace: Counter[str] = Counter()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.by_trace.update(f"{span.context.trace_id:032x}" for span in spans if span.context)
        return SpanExportResult.SUCCESS


class _Decisions:
    def __init__(self) -> None:
        self.count = 0
        self.violating: set[str] = set()

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        decisions = [record for record in records if record["type"] == "decision"]
        self.count += len(decisions)
        self.violating |= {record["trace_id"] for record in decisions if record["verdict"] == "violated"}

    def shutdown(self) -> None:
        return


@specspan.observe(model="m")
async def _reply(question: str) -> str:
    await asyncio.sleep(0)
    return "shut up" if question == "bad" else "with pleasure"


@specspan.observe
async def _look_up() -> None:
    await asyncio.sleep(0)


@specspan.observe
async def _answer(question: str) -> str:
    await _look_up()
    said = await _reply(question)
    await asyncio.sleep(0)
    return said


def run(sampling: specspan.Sampling, calls: int, one_violates_in: int) -> Totals:
    """Serve ``calls`` calls, each in a trace of its own with two spans around it."""
    spans, decisions, reader = _Spans(), _Decisions(), InMemoryMetricReader()
    before = Counter(drop_counts.totals())
    processor = tail.processor(sampling, BatchSpanProcessor(spans))
    tracers = TracerProvider(tail.sampler(sampling), shutdown_on_exit=False)
    tracers.add_span_processor(processor)
    meters = MeterProvider([reader], shutdown_on_exit=False)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "manners.md").write_text(_SPEC, encoding="utf-8")
        Path(folder, "policy.yaml").write_text(_POLICY, encoding="utf-8")
        specspan.configure(
            Path(folder, "policy.yaml"),
            tracer_provider=tracers,
            meter_provider=meters,
            decision_exporters=[decisions],
        )
    peak_bytes = asyncio.run(_serve(processor, calls, one_violates_in))
    specspan.force_flush(60.0)
    counted = _count(reader)
    specspan.shutdown()
    tracers.shutdown()
    meters.shutdown()
    return Totals(
        calls,
        violating=len(decisions.violating),
        broken=sum(spans.by_trace[trace_id] != SPANS_A_TRACE for trace_id in decisions.violating),
        kept=len(spans.by_trace),
        torn=sum(count != SPANS_A_TRACE for count in spans.by_trace.values()),
        counted=counted,
        recorded=decisions.count,
        peak_bytes=peak_bytes,
        lost=Counter(drop_counts.totals()) - before,
    )


async def _serve(processor: SpanProcessor, calls: int, one_violates_in: int) -> int:
    """Serve the calls and return the largest amount of memory that was held, in bytes."""
    assert isinstance(processor, TailSamplingProcessor)
    numbers = iter(range(calls))
    peak_bytes = 0

    async def work() -> None:
        nonlocal peak_bytes
        for number in numbers:
            await _answer("bad" if number % one_violates_in == 0 else "good")
            peak_bytes = max(peak_bytes, processor.pending_bytes)

    await asyncio.gather(*(work() for _ in range(_OPEN_TRACES)))
    return peak_bytes


def _count(reader: InMemoryMetricReader) -> int:
    data = reader.get_metrics_data()
    return sum(
        int(point.value)
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "specspan.decisions"
        for point in metric.data.data_points
        if hasattr(point, "value")
    )


if __name__ == "__main__":
    asked = specspan.Sampling(0.01, max_bytes=8 << 20)
    found = run(asked, calls=100_000, one_violates_in=1_000)
    print(found)
    if complaints := found.complaints(asked.max_bytes):
        sys.exit("FAILED: " + "; ".join(complaints))
    print(f"every violating trace is whole, every call counted, {found.peak_bytes:,} of {asked.max_bytes:,} bytes held")
