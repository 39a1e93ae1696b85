"""Cost of recording: a whole call with 100 clauses beside a hand-written span of 10 attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import INVALID_SPAN_CONTEXT

from benchmarks.measure import HAND_WRITTEN, Row, hand_written_span, medians_us, provider_to_nowhere
from specspan.call import CallContext, Message, ModelCall, Request, Response, Text, Usage
from specspan.checks.check import CheckTraits, TextAt
from specspan.decision import (
    Action,
    CheckMechanism,
    CheckRef,
    Decision,
    Finding,
    Mode,
    Outcome,
    SpecRef,
    Stage,
    Summary,
    Verdict,
)
from specspan.policy.policy import CheckBinding, ClausePolicy, OnError, Policy
from specspan.record.call_end import CallRecord, Ending, EndKind, Timing
from specspan.record.decision_record import PolicyActivation, RecordBuilder, Service
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings
from specspan.spec.spec import Clause, Spec

_BUDGET_US = 20.0
"""Budget of a whole call over the hand-written span."""
_ENDING = Ending(EndKind.COMPLETED)
_TIMING = Timing(1.0, None, {"input": 5_000, "output": 9_000})
_CONTEXT = CallContext("c-1", "u-1")
_CALL = ModelCall(
    Request("openai", "chat", "gpt-5", {"temperature": 0.2}, (Message("user", (Text("x" * 2_000),)),), server_port=443),
    Response("r-1", "gpt-5", (Message("assistant", (Text("y" * 2_000),)),), ("stop",), Usage(500, 500)),
    _CONTEXT,
)


class _Nowhere:
    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        return

    def shutdown(self) -> None:
        return


def main() -> Iterator[Row]:
    """Return the rows of the table; the limit of the first is the budget as a ratio of this run."""
    provider = provider_to_nowhere()
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    spans = Recorder(Settings(), tracer_provider=provider)
    whole = Recorder(Settings(), tracer_provider=provider, meter_provider=meters, decision_exporters=(_Nowhere(),))
    measured = Recorder(Settings(), meter_provider=meters)
    made, one_violated = _decision(), _decision(violated=1)
    builder = RecordBuilder(Service("benchmark"))
    builder.add_policy(PolicyActivation(_policy(made), 0))
    ended = CallRecord(INVALID_SPAN_CONTEXT, _CALL, made, _ENDING.kind, None, _TIMING)
    ended_badly = ended._replace(decision=one_violated)
    works = {
        HAND_WRITTEN: hand_written_span(provider),
        "a call, 100 clauses complied, span only": _call(spans, made),
        "the same with metrics and decision records": _call(whole, made),
        "the same, one clause violated": _call(whole, one_violated),
        "a decorated function's span": _work(spans),
        "off the caller's thread: metrics of a call": lambda: measured._metrics._write((ended,)),
        "off the caller's thread: adding up 100 clauses": measured._metrics.measure_all,
        "off the caller's thread: a decision record": lambda: builder.build(ended),
        "off the caller's thread: the same, one violated": lambda: builder.build(ended_badly),
    }
    medians = medians_us(works)
    for recorder in (spans, whole, measured):
        recorder.shutdown()
    provider.shutdown()
    base = medians.pop(HAND_WRITTEN)
    for name, median in medians.items():
        within_budget = (base + _BUDGET_US) / base if name.endswith("span only") else None
        yield Row(name, median, base, within_budget)


def _call(recorder: Recorder, made: Decision) -> Callable[[], None]:
    def call() -> None:
        span = recorder.start_call(_CALL.request, _CONTEXT)
        recorder.end_call(span, _CALL, made, _ENDING, _TIMING)

    return call


def _work(recorder: Recorder) -> Callable[[], None]:
    attributes = {"code.function.name": "answer"}

    def work() -> None:
        recorder.end_work(recorder.start_work("answer", CallContext(), attributes), _ENDING)

    return work


@dataclass(frozen=True)
class _Check:
    ref: CheckRef
    traits: CheckTraits

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> bool:
        raise AssertionError("recording runs no check")


def _policy(made: Decision) -> Policy:
    """Return the policy that a decision was made under, with one check a clause."""
    bound = {}
    for finding in made.findings:
        clause = Clause(finding.clause, finding.clause, "", finding.authority)
        checks = () if finding.check is None else (CheckBinding(_Check(finding.check, CheckTraits(Stage.OUTPUT))),)
        bound[clause.id] = ClausePolicy(clause, finding.severity, finding.action, OnError.OPEN, checks)
    (ref,) = made.specs
    clauses = {name: each.clause for name, each in bound.items()}
    spec = Spec(ref.id, ref.version, ref.digest, ("user",), clauses)
    return Policy((spec,), made.mode, made.policy_digest, bound)


def _decision(violated: int = 0) -> Decision:
    check = CheckRef("pattern", CheckMechanism.PATTERN)
    findings = [
        Finding(Outcome.COMPLIED, clause=f"clause_number_{number}", authority="user", check=check)
        for number in range(100)
    ]
    findings[:violated] = [replace(finding, outcome=Outcome.VIOLATED) for finding in findings[:violated]]
    charged = tuple(finding.clause for finding in findings[:violated])
    return Decision(
        id="01930000-0000-7000-8000-000000000000",
        time_unix_nano=0,
        specs=(SpecRef("benchmark", "1", "sha256:" + "a" * 64),),
        policy_digest="sha256:" + "b" * 64,
        mode=Mode.OBSERVE,
        verdict=Verdict.VIOLATED if violated else Verdict.COMPLIED,
        action=Action.FLAG if violated else Action.ALLOW,
        would=Action.FLAG if violated else Action.ALLOW,
        governing_clause=charged[0] if charged else None,
        findings=tuple(findings),
        summary=Summary(" ".join(finding.clause for finding in findings), charged, considered=120, unassessed=20),
    )
