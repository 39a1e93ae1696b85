"""A process in which others trace: their providers, a policy, and what was decided of their calls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from policies import bound, pattern, policy

import specspan
from specspan.checks.kinds import tools
from specspan.decision import Mode, Stage
from specspan.policy.policy import Policy
from specspan.testing import MemoryDecisions

RULES = policy(
    bound("quiet", pattern("hello", reason="loud")),
    bound("kind", pattern("evil", stage=Stage.INPUT)),
    bound("tools", tools.build("tools", {"deny": ["wipe"]})),
    mode=Mode.ENFORCE,
)
"""An answer says no hello, a question nothing evil, and no tool wipes."""


@dataclass
class Bridged:
    """Where everybody's spans go, and what was decided."""

    spans: InMemorySpanExporter
    reader: InMemoryMetricReader
    tracers: Any
    meters: MeterProvider
    loggers: LoggerProvider = field(default_factory=LoggerProvider)
    records: MemoryDecisions = field(default_factory=MemoryDecisions)

    def configure(self, rules: Policy = RULES, **changes: Any) -> None:
        given = {
            "bridges": True,
            "tracer_provider": self.tracers,
            "meter_provider": self.meters,
            "logger_provider": self.loggers,
            "decision_exporters": [self.records],
        }
        specspan.configure(rules, **{**given, **changes})

    @property
    def decisions(self) -> list[Mapping[str, Any]]:
        """Every decision record so far."""
        assert specspan.force_flush()
        return list(self.records.decisions)

    @property
    def decision_spans(self) -> list[ReadableSpan]:
        assert specspan.force_flush()
        return [span for span in self.spans.get_finished_spans() if span.name == "specspan.decision"]

    def span(
        self, attributes: Mapping[str, Any], *, scope: str = "somebody", failed: bool = False, name: str = "call"
    ) -> ReadableSpan:
        """Have somebody make and end a span."""
        made = self.tracers.get_tracer(scope).start_span(name, attributes=dict(attributes))
        if failed:
            made.set_status(StatusCode.ERROR)
        made.end()
        found: ReadableSpan = made
        return found


def outcomes(record: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    """What was found of each clause."""
    return {finding["clause"]: (finding["outcome"], finding["reason"]) for finding in record["findings"]}


@contextmanager
def process(limits: SpanLimits | None = None) -> Iterator[Bridged]:
    """Providers of the application's own; nothing is configured after the block."""
    spans, tracers = InMemorySpanExporter(), TracerProvider(span_limits=limits, shutdown_on_exit=False)
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    reader = InMemoryMetricReader()
    yield Bridged(spans, reader, tracers, MeterProvider([reader], shutdown_on_exit=False))
    specspan.shutdown()
