"""A recorder over in-memory exporters of the SDK, and a call and decisions to record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

from specspan.call import CallContext, Message, ModelCall, Request, Response, Text, Usage
from specspan.decision import (
    Action,
    CheckMechanism,
    CheckRef,
    Decision,
    Evidence,
    Finding,
    Mode,
    Outcome,
    Severity,
    SpecRef,
    Summary,
    Verdict,
)
from specspan.record.call_end import Ending, EndKind, Timing
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings
from specspan.scope.scope import ScopeOfAutonomy

COMPLETED = Ending(EndKind.COMPLETED)
REQUEST = Request(
    provider="openai",
    model="gpt-5",
    parameters={"temperature": 0.5, "stop_sequences": ("END",)},
    input=(Message("user", (Text("What is my number?"),)),),
    server_address="api.example.com",
    server_port=443,
    streaming=True,
)
RESPONSE = Response(
    id="r-1",
    model="gpt-5-2026",
    output=(Message("assistant", (Text("It is 123-45-6789."),), finish_reason="stop"),),
    finish_reasons=("stop",),
    usage=Usage(10, 20, cache_read_input_tokens=4),
)
CONTEXT = CallContext("c-9", "u-7", ScopeOfAutonomy(("search",)))
CALL = ModelCall(REQUEST, RESPONSE, CONTEXT)
SPEC = SpecRef("model-spec", "2025-09-12", "sha256:aa")
SSN = Finding(
    Outcome.VIOLATED,
    "ssn",
    score=1.0,
    explanation="it says 123-45-6789",
    evidence=(Evidence("/output/0/parts/0", 6, 17),),
    clause="protect_privacy",
    authority="root",
    severity=Severity.HIGH,
    action=Action.BLOCK,
    check=CheckRef("ssn", CheckMechanism.PATTERN, "2"),
    duration_ns=2_000,
)
SSN_ATTRIBUTES = {
    "specspan.decision.id": "d-1",
    "specspan.finding.clause": "protect_privacy",
    "specspan.finding.authority": "root",
    "specspan.finding.severity": "high",
    "specspan.finding.outcome": "violated",
    "specspan.finding.stage": "output",
    "specspan.finding.action": "block",
    "specspan.finding.reason": "ssn",
    "specspan.finding.score": 1.0,
    "specspan.finding.evidence": ("/output/0/parts/0:6-17",),
    "specspan.check.name": "ssn",
    "specspan.check.kind": "pattern",
    "specspan.check.version": "2",
}
"""Of `SSN`, as events and log records have them where content is off."""
KIND = Finding(Outcome.COMPLIED, clause="be_kind", authority="user", check=CheckRef("kind", CheckMechanism.PATTERN))


def decision(*findings: Finding, **changes: Any) -> Decision:
    """A decision over ``findings`` in observe mode, its summary counted from them."""
    violated = [finding for finding in findings if finding.outcome is Outcome.VIOLATED]
    given: dict[str, Any] = {
        "id": "d-1",
        "time_unix_nano": 5,
        "specs": (SPEC,),
        "policy_digest": "sha256:bb",
        "mode": Mode.OBSERVE,
        "verdict": Verdict.VIOLATED if violated else Verdict.COMPLIED,
        "action": Action.FLAG if violated else Action.ALLOW,
        "would": Action.BLOCK if violated else Action.ALLOW,
        "governing_clause": violated[0].clause if violated else None,
        "reason": violated[0].reason if violated else None,
        "findings": findings,
        "summary": _summary(findings),
    }
    return Decision(**given | changes)


def _summary(findings: Sequence[Finding]) -> Summary:
    def having(outcome: Outcome) -> tuple[str, ...]:
        return tuple(finding.clause for finding in findings if finding.outcome is outcome)

    looked_at = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.UNCERTAIN, Outcome.ERROR)
    return Summary(
        applied=" ".join(finding.clause for finding in findings if finding.outcome in looked_at),
        violated=having(Outcome.VIOLATED),
        uncertain=having(Outcome.UNCERTAIN),
        overridden=having(Outcome.OVERRIDDEN),
        errored=having(Outcome.ERROR),
        pending=having(Outcome.PENDING),
        considered=len(findings) + 10,
        not_applicable=len(having(Outcome.NOT_APPLICABLE)),
        unassessed=len(having(Outcome.UNASSESSED)) + 10,
    )


@dataclass
class MemoryExporter:
    """Keeps decision records. JSON is made of each, as every backend does."""

    records: list[Mapping[str, Any]] = field(default_factory=list)
    closed: int = 0

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        json.dumps(list(records), allow_nan=False)
        self.records.extend(records)

    def shutdown(self) -> None:
        self.closed += 1


class Recording:
    """A recorder, and everything it recorded."""

    def __init__(self, settings: Settings | None = None, *, sampler: Sampler = ALWAYS_ON) -> None:
        resource = Resource({"service.name": "desk", "service.version": "7", "service.instance.id": "i-1"})
        self._spans = InMemorySpanExporter()
        self.tracer_provider = TracerProvider(sampler=sampler, resource=resource, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self._reader], resource=resource, shutdown_on_exit=False)
        self._logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
        self.logger_provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        self.logger_provider.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.exporter = MemoryExporter()
        self.recorder = Recorder(
            settings or Settings(digest_key=b"key"),
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
            logger_provider=self.logger_provider,
            decision_exporters=(self.exporter,),
        )

    def call(
        self,
        made: Decision | None = None,
        *,
        call: ModelCall = CALL,
        ending: Ending = COMPLETED,
        timing: Timing = Timing(1.5, 0.25, {"input": 1_000, "output": 3_000}),  # noqa: B008 - immutable
    ) -> None:
        """Record one call."""
        span = self.recorder.start_call(call.request, call.context)
        self.recorder.end_call(span, call, made, ending, timing)

    def close(self) -> None:
        self.recorder.shutdown()

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        (span,) = self.spans
        return span

    @property
    def attributes(self) -> dict[str, Any]:
        """Of the one span there is."""
        return dict(self.span.attributes or {})

    @property
    def records(self) -> list[Mapping[str, Any]]:
        assert self.recorder.force_flush(10)
        return self.exporter.records

    @property
    def logs(self) -> list[ReadableLogRecord]:
        assert self.recorder.force_flush(10)
        return list(self._logs.get_finished_logs())

    def points(self) -> dict[str, list[Any]]:
        """Data points by metric, as collected now; nothing is flushed first."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: list(metric.data.data_points)
            for of_resource in data.resource_metrics
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        }

    def counted(self, name: str) -> dict[tuple[Any, ...], Any]:
        """Values of a counter by the values of its attributes, in the order of their names."""
        return {
            tuple(point.attributes[key] for key in sorted(point.attributes)): point.value
            for point in self.points().get(name, ())
        }
