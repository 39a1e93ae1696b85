"""Metrics as a reader collects them: exact, from closed sets, whatever was sampled."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from policies import answered, bound, pattern, policy
from recording import CALL, COMPLETED, CONTEXT, KIND, REQUEST, SSN, Recording, decision

from specspan._support import drop_counts
from specspan.call import ModelCall, Request
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome, Override, OverrideRuling, Severity
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import Objective
from specspan.record.call_end import Ending, Timing
from specspan.record.conventions import Generation
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

Record = Callable[..., Recording]


def test_collecting_needs_no_flush_first(record: Record) -> None:
    """What is collected holds every call that ended before, though calls are measured on another thread."""
    recording = record(Settings(interval_s=60.0))
    for expected in range(1, 4):
        recording.call(decision(KIND, SSN))
        assert recording.counted("specspan.decisions") == {
            ("chat", "openai", "flag", "observe", "violated", "model-spec", "2025-09-12"): expected
        }
        assert recording.counted("specspan.findings") == {
            ("pattern", "root", "protect_privacy", "violated", "high", "2025-09-12"): expected,
            ("pattern", "user", "be_kind", "complied", "medium", "2025-09-12"): expected,
        }


def test_metrics_do_not_depend_on_sampling(record: Record) -> None:
    """With every span dropped by the sampler, metrics and decision records are whole."""
    recording = record(sampler=ALWAYS_OFF)
    recording.call(decision(KIND, SSN))
    assert recording.spans == []
    assert sum(recording.counted("specspan.decisions").values()) == 1
    assert sum(recording.counted("specspan.findings").values()) == 2
    (entry,) = recording.records
    assert (entry["id"], len(entry["trace_id"]), len(entry["span_id"])) == ("d-1", 32, 16)


def test_many_threads_are_counted_exactly(record: Record) -> None:
    """Eight threads, shared and own findings, a reader collecting meanwhile: the totals are exact."""
    recording = record(Settings(batch_size=16, interval_s=0.001, queue_size=100_000))
    shared = tuple(replace(KIND, clause=f"clause_{number}") for number in range(20))
    alike = decision(*shared)
    start = threading.Barrier(9)

    def work() -> None:
        start.wait(10)
        for number in range(100):
            if number % 4:
                recording.call(alike)
            else:
                recording.call(decision(*shared[:-1], SSN))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait(10)
    while any(thread.is_alive() for thread in threads):
        recording.points()
    found = recording.counted("specspan.findings")
    assert {key[2]: count for key, count in found.items()} == {
        **{f"clause_{number}": 800 for number in range(19)},
        "clause_19": 600,
        "protect_privacy": 200,
    }
    assert sum(recording.counted("specspan.decisions").values()) == 800


def test_complied_clauses_are_added_in_bulk(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred clauses that complied on fifty calls are added a batch at a time, not five thousand times."""
    recording = record(Settings(interval_s=60.0))
    additions: list[float] = []
    counter = recording.recorder._metrics._findings
    real_add = counter.add

    def add(count: float, *rest: Any) -> None:
        additions.append(count)
        real_add(count, *rest)

    monkeypatch.setattr(counter, "add", add)
    made = decision(*(replace(KIND, clause=f"clause_{number}") for number in range(100)))
    for _ in range(50):
        recording.call(made)
    assert set(recording.counted("specspan.findings").values()) == {50}
    assert sum(additions) == 5_000
    assert len(additions) <= 500


def test_a_violation_leads_to_its_trace(record: Record) -> None:
    """The counter's exemplar of a violation names the span it was found on."""
    recording = record()
    recording.call(decision(KIND, SSN))
    points = {point.attributes["specspan.finding.clause"]: point for point in recording.points()["specspan.findings"]}
    (exemplar,) = points["protect_privacy"].exemplars
    context = recording.span.get_span_context()
    assert context is not None
    assert (exemplar.trace_id, exemplar.span_id) == (context.trace_id, context.span_id)


def test_violations_of_one_batch_are_added_together(record: Record) -> None:
    """Every violation of every clause is counted, and the exemplar names the latest span that was sampled."""
    recording = record(Settings(interval_s=60.0))
    complied = [replace(KIND, clause=f"clause_{number}") for number in range(30)]
    for number in (0, 1, 1, 2, 0, 0):
        findings = [*complied]
        findings[number] = replace(SSN, clause=f"clause_{number}")
        recording.call(decision(*findings))
    points = recording.points()
    named = [
        (point.attributes["specspan.finding.clause"], point.attributes["specspan.finding.outcome"], point.value)
        for point in points["specspan.findings"]
    ]
    counts = {(clause, outcome): count for clause, outcome, count in named}
    violated = {"clause_0": 3, "clause_1": 2, "clause_2": 1}
    expected = {(finding.clause, "complied"): 6 - violated.get(finding.clause, 0) for finding in complied}
    assert counts == {**expected, **{(clause, "violated"): count for clause, count in violated.items()}}
    (point,) = points["specspan.decisions"]
    latest = recording.spans[-1].get_span_context()
    assert latest is not None
    assert [each.span_id for each in point.exemplars] == [latest.span_id]


def test_what_checks_and_specspan_itself_cost(record: Record) -> None:
    """Check durations tell failed checks apart; overhead is by stage."""
    slow = Finding(
        Outcome.ERROR, "timeout", clause="be_kind", check=CheckRef("judge", CheckMechanism.JUDGE), duration_ns=10**9
    )
    recording = record()
    recording.call(decision(slow, SSN))
    points = recording.points()
    checks = {tuple(sorted(point.attributes.items())): point.sum for point in points["specspan.check.duration"]}
    assert checks == {
        (("specspan.check.failed", True), ("specspan.check.kind", "judge"), ("specspan.check.name", "judge")): 1.0,
        (("specspan.check.failed", False), ("specspan.check.kind", "pattern"), ("specspan.check.name", "ssn")): 2e-6,
    }
    overhead = {point.attributes["specspan.stage"]: point.sum for point in points["specspan.overhead.duration"]}
    assert overhead == {"input": 1e-6, "output": 3e-6}


def test_overrides_are_counted_by_ruling(record: Record) -> None:
    """Granted and refused overrides are told apart."""
    override = Override("be_kind", "developer", "long-form product")
    recording = record()
    recording.call(
        decision(KIND, overrides=(OverrideRuling(override, True), OverrideRuling(override, False, "top_level")))
    )
    assert recording.counted("specspan.overrides") == {
        ("be_kind", "developer", "granted"): 1,
        ("be_kind", "developer", "top_level", "refused"): 1,
    }


def test_names_that_are_no_names_are_not_counted_by(record: Record) -> None:
    """A clause or a level that no spec has is whatever an application writes, and no metric's attribute."""
    rulings = [
        OverrideRuling(Override("be_knid", "operator", "typing"), False, "unknown_clause"),
        OverrideRuling(Override("be_kind", "operator", "typing"), False, "unknown_level"),
    ]
    recording = record()
    recording.call(decision(KIND, overrides=tuple(rulings)))
    assert recording.counted("specspan.overrides") == {
        ("_OTHER", "_OTHER", "unknown_clause", "refused"): 1,
        ("be_kind", "_OTHER", "unknown_level", "refused"): 1,
    }


def test_losses_are_a_metric(record: Record) -> None:
    """Every loss this process counted is in `specspan.dropped`, by what and reason."""
    recording = record()
    before = recording.counted("specspan.dropped").get(("full", "test_metrics"), 0)
    drop_counts.count("test_metrics", "full", 3)
    assert recording.counted("specspan.dropped")["full", "test_metrics"] - before == 3


def test_the_conventions_own_metrics(record: Record) -> None:
    """Duration, tokens and time to first chunk have the conventions' attributes and bucket boundaries."""
    recording = record()
    recording.call(decision(KIND))
    recording.call(
        ending=Ending.from_error(TimeoutError("x")), call=ModelCall(REQUEST, None, CONTEXT), timing=Timing(3.0)
    )
    points = recording.points()
    base = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "server.address": "api.example.com",
        "server.port": 443,
    }
    answered = base | {"gen_ai.response.model": "gpt-5-2026"}
    assert [(dict(point.attributes), point.sum) for point in points["gen_ai.client.operation.duration"]] == [
        (answered, 1.5),
        (base | {"error.type": "TimeoutError"}, 3.0),
    ]
    assert points["gen_ai.client.operation.duration"][0].explicit_bounds == (
        *(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96),
        81.92,
    )
    assert [(dict(point.attributes), point.sum) for point in points["gen_ai.client.token.usage"]] == [
        (answered | {"gen_ai.token.type": "input"}, 10),
        (answered | {"gen_ai.token.type": "output"}, 20),
    ]
    assert points["gen_ai.client.token.usage"][0].explicit_bounds[-1] == 67108864
    (first_chunk,) = points["gen_ai.client.operation.time_to_first_chunk"]
    assert (dict(first_chunk.attributes), first_chunk.sum) == (answered, 0.25)


CURRENT_ONLY = {
    "gen_ai.client.operation.duration",
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.token.usage",
}
NEXT_ONLY = {
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.usage.input_tokens",
    "gen_ai.client.inference.usage.output_tokens",
    "gen_ai.client.inference.usage.cache_read.input_tokens",
}


@pytest.mark.parametrize(
    ("generation", "expected"),
    [
        (Generation.CURRENT, CURRENT_ONLY),
        (Generation.NEXT, NEXT_ONLY),
        (Generation.BOTH, CURRENT_ONLY | NEXT_ONLY),
    ],
)
def test_the_generation_picks_the_names(record: Record, generation: Generation, expected: set[str]) -> None:
    """Each generation of the conventions has its own metric names; both together have both."""
    recording = record(Settings(generation=generation))
    recording.call(decision(KIND))
    assert {name for name, found in recording.points().items() if name.startswith("gen_ai.") and found} == expected


def test_what_is_no_inference_keeps_its_metric(record: Record) -> None:
    """The next generation renames the metrics of inference alone: embeddings keep theirs."""
    recording = record(Settings(generation=Generation.NEXT))
    recording.call(call=ModelCall(Request("openai", "embeddings", "e-1")), timing=Timing(1.0))
    found = recording.points()
    assert found["gen_ai.client.operation.duration"]
    assert not found.get("gen_ai.client.inference.duration")


def test_a_second_recorder_on_the_same_provider_is_whole() -> None:
    """Configured anew on the same meter provider, calls are still measured before they are collected."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    data = None
    for _ in range(2):
        recorder = Recorder(Settings(interval_s=60.0), meter_provider=provider)
        recorder.end_call(recorder.start_call(REQUEST, CONTEXT), CALL, decision(KIND), COMPLETED, Timing(1.0))
        data = reader.get_metrics_data()
        recorder.shutdown()
    assert data is not None
    values = {
        metric.name: [getattr(point, "value", None) for point in metric.data.data_points]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    assert values["specspan.decisions"] == [2]


def test_without_a_meter_provider_nothing_is_queued() -> None:
    """Where no metrics go, calls are not even kept for measuring."""
    recorder = Recorder(Settings(interval_s=60.0))
    recorder.end_call(recorder.start_call(REQUEST, CONTEXT), CALL, decision(KIND), COMPLETED, Timing(1.0))
    assert [worker.queue_length for worker in recorder._workers] == [0, 0]
    recorder.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_counts_its_own_calls_alone(record: Record) -> None:
    """What waited or was tallied in the parent is added by the parent alone."""
    recording = record(Settings(interval_s=60.0))
    recording.call(decision(KIND))
    assert recording.recorder.force_flush(10)
    recording.call(decision(KIND))
    child = os.fork()
    if child == 0:
        status = 99
        try:
            recording.call(decision(KIND))
            status = sum(recording.counted("specspan.findings").values())
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    assert sum(recording.counted("specspan.findings").values()) == 2


def test_violations_that_alerts_wait_for_start_at_zero(record: Record) -> None:
    """A policy in force shows the violations of objectives and critical clauses as none, and no others."""
    recording = record()
    objective = Objective(0.999, timedelta(days=30))
    clauses = (
        replace(bound("be_kind", pattern("stupid")), objective=objective),
        bound("protect_privacy", pattern("[0-9]{4}"), severity=Severity.CRITICAL),
        bound("be_brief", pattern("furthermore")),
        bound("be_fair", severity=Severity.CRITICAL),
    )
    recording.recorder.record_policy(policy(*clauses))
    found = recording.counted("specspan.findings")
    assert {(key[2], key[3]): count for key, count in found.items()} == {
        ("be_kind", "violated"): 0,
        ("protect_privacy", "violated"): 0,
    }


def test_a_violation_is_counted_where_its_zero_stands(record: Record) -> None:
    """The zero and the first violation have the same attributes: one counter goes from 0 to 1."""
    recording = record()
    at_work = policy(bound("protect_privacy", pattern("[0-9]{4}"), severity=Severity.CRITICAL, authority="root"))
    recording.recorder.record_policy(at_work)
    (before,) = recording.counted("specspan.findings").items()
    evaluation = Engine(at_work).open()
    run_sync(evaluation.output(answered("it is 1234")))
    recording.call(evaluation.decide())
    (after,) = recording.counted("specspan.findings").items()
    assert (before[1], after[1]) == (0, 1)
    assert before[0] == after[0]
