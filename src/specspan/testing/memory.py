"""Recording into memory, for a test to read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from specspan.decision import Mode
from specspan.engine.engine import Engine
from specspan.instrument.gate import Pipeline, activate, active
from specspan.policy.policy import Policy
from specspan.record.call_end import CallRecord
from specspan.record.recorder import Recorder
from specspan.runtime.configure import resolve_policy
from specspan.sqlite.expansion import expand, policy_record_of
from specspan.testing.assertions import DecisionAssertions
from specspan.testing.fakes import FakeClock, FakeDecisionIds, FakeSpanIds

_FLUSH_S = 5.0


class MemoryDecisions:
    """Decision exporter that keeps records in memory."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []
        """Records as they were handed over, of decisions and of policies."""

    @property
    def decisions(self) -> tuple[Mapping[str, Any], ...]:
        """Decision records with every finding in full, in the order of decisions."""
        policies = {record["id"]: record for record in self.records if record["type"] == "policy"}
        decisions = (record for record in self.records if record["type"] == "decision")
        return tuple(expand(record, policies.get(policy_record_of(record) or "")) for record in decisions)

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add ``records`` to those kept."""
        self.records.extend(records)

    def shutdown(self) -> None:
        """Do nothing: the records stay."""


class _KeepingRecorder(Recorder):
    """Recorder that also keeps every decision with its call, for explanations."""

    def __init__(self, provider: TracerProvider, exporter: MemoryDecisions) -> None:
        super().__init__(tracer_provider=provider, decision_exporters=(exporter,))
        self.kept_calls: list[CallRecord] = []

    def _enqueue(self, record: CallRecord) -> None:
        if record.decision is not None:
            self.kept_calls.append(record)
        super()._enqueue(record)


class Recorded(DecisionAssertions):
    """Spans and decisions recorded so far, and assertions about them."""

    def __init__(
        self,
        recorder: _KeepingRecorder,
        spans: InMemorySpanExporter,
        decisions: MemoryDecisions,
        policy: Policy | None = None,
    ) -> None:
        super().__init__(policy, lambda: recorder.kept_calls)
        self._recorder = recorder
        self._spans = spans
        self._decisions = decisions

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """Spans that ended, in the order of their ends."""
        return self._spans.get_finished_spans()

    @property
    def decisions(self) -> tuple[Mapping[str, Any], ...]:
        """Decision records with every finding in full, in the order of decisions."""
        self._recorder.force_flush(_FLUSH_S)
        return self._decisions.decisions


@contextmanager
def recorded(
    policy: str | os.PathLike[str] | Policy | None = None,
    *,
    mode: Mode | str | None = None,
    environment: str | None = None,
    clock: FakeClock | None = None,
) -> Iterator[Recorded]:
    """Record into memory inside the block; the configuration before it is in force again after it.

    Ids are numbered from 1 and decisions are dated by ``clock``, so that two runs record the same.

    Raises:
        SpecError, PolicyError, ConfigurationError: as `specspan.configure`.
    """
    loaded = resolve_policy(policy, mode, environment)
    spans, decisions = InMemorySpanExporter(), MemoryDecisions()
    provider = TracerProvider(id_generator=FakeSpanIds(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    recorder = _KeepingRecorder(provider, decisions)
    engine = Engine(loaded, now_ns=clock or FakeClock(), new_id=FakeDecisionIds()) if loaded is not None else None
    before = active()
    activate(Pipeline(recorder, engine))
    try:
        yield Recorded(recorder, spans, decisions, loaded)
    finally:
        activate(before)
        recorder.shutdown()
        provider.shutdown()
