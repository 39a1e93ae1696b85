"""Whole spans, as an exporter gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from recording import CALL, COMPLETED, CONTEXT, KIND, REQUEST, SSN, SSN_ATTRIBUTES, Recording, decision

from specspan.call import CallContext, ModelCall, Request, Response
from specspan.decision import Action, Finding, Mode, Outcome, Override, OverrideRuling, SpecRef
from specspan.errors import Blocked
from specspan.record.call_end import Ending, EndKind, Timing
from specspan.record.recorder import Recorder
from specspan.record.settings import Content, FindingEvents, Settings
from specspan.scope.scope import ScopeOfAutonomy
from specspan.scope.text import digest

Record = Callable[..., Recording]


def test_a_whole_call_is_one_client_span(record: Record) -> None:
    """The span of a call carries what was asked, what came back and what was decided."""
    recording = record()
    recording.call(decision(KIND, SSN))
    span = recording.span
    assert (span.name, span.kind, span.status.status_code) == ("chat gpt-5", SpanKind.CLIENT, StatusCode.UNSET)
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.schema_url == "https://specspan.dev/schemas/1.0.0"
    assert recording.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.stop_sequences": ("END",),
        "server.address": "api.example.com",
        "server.port": 443,
        "gen_ai.conversation.id": "c-9",
        "user.id": "u-7",
        "specspan.scope.allowed_tools": "search",
        "specspan.scope.digest": digest(ScopeOfAutonomy(("search",))),
        "gen_ai.response.id": "r-1",
        "gen_ai.response.model": "gpt-5-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "specspan.clause.protect_privacy": "violated",
        "specspan.clauses.complied": 1,
        "specspan.clauses.violated": ("protect_privacy",),
        "specspan.clauses.considered": 12,
        "specspan.clauses.not_applicable": 0,
        "specspan.clauses.unassessed": 10,
        "specspan.clauses.pending": 0,
        "specspan.decision.action": "flag",
        "specspan.decision.governing_clause": "protect_privacy",
        "specspan.decision.id": "d-1",
        "specspan.decision.mode": "observe",
        "specspan.decision.reason": "ssn",
        "specspan.decision.verdict": "violated",
        "specspan.decision.would": "block",
        "specspan.policy.digest": "sha256:bb",
        "specspan.spec.digest": "sha256:aa",
        "specspan.spec.id": "model-spec",
        "specspan.spec.version": "2025-09-12",
    }
    (event,) = span.events
    assert (event.name, dict(event.attributes or {})) == ("specspan.finding", SSN_ATTRIBUTES)


def test_a_sampler_sees_what_is_asked() -> None:
    """Everything known before the model is called stands on the span from its start."""
    recorder = Recorder(Settings(), tracer_provider=TracerProvider(shutdown_on_exit=False))
    span = recorder.start_call(REQUEST, CONTEXT)
    assert dict(getattr(span, "attributes", {}))["gen_ai.request.model"] == "gpt-5"
    recorder.end_call(span, CALL, None, COMPLETED, Timing(1.0))
    recorder.shutdown()


def test_several_specs_are_arrays_in_one_order(record: Record) -> None:
    """With several specs in force, id, version and digest at one place belong together."""
    recording = record()
    recording.call(decision(KIND, specs=(SpecRef("a", "1", "sha256:a"), SpecRef("b", None, "sha256:b"))))
    found = recording.attributes
    assert found["specspan.spec.id"] == ("a", "b")
    assert found["specspan.spec.version"] == ("1", "")
    assert found["specspan.spec.digest"] == ("sha256:a", "sha256:b")


def test_a_blocked_call_is_an_error_of_our_own_name(record: Record) -> None:
    """A call that the policy stopped has the status ERROR, whatever its answer was."""
    recording = record()
    made = decision(SSN, mode=Mode.ENFORCE, action=Action.BLOCK, would=None, released_chars=17)
    recording.call(made, ending=Ending.from_error(Blocked(made)))
    assert recording.span.status.status_code is StatusCode.ERROR
    assert recording.attributes["error.type"] == "specspan.blocked"
    assert recording.attributes["specspan.stream.released_chars"] == 17
    assert "specspan.decision.would" not in recording.attributes


def test_a_flagged_violation_leaves_the_status_alone_unless_asked(record: Record) -> None:
    """Violations are errors only under the setting that says so."""
    lenient, strict = record(), record(Settings(violations_are_errors=True))
    for recording in (lenient, strict):
        recording.call(decision(SSN))
    assert lenient.span.status.status_code is StatusCode.UNSET
    assert strict.span.status.status_code is StatusCode.ERROR
    assert strict.attributes["error.type"] == "specspan.violated"


def test_a_failure_is_named_by_its_class_and_quotes_nothing(record: Record) -> None:
    """The message of an exception may quote a prompt, so the status names its class alone."""
    recording = record()
    span = recording.recorder.start_work("answer", CallContext(), {"code.function.name": "answer"})
    recording.recorder.end_work(span, Ending.from_error(ValueError("secret prompt")))
    found = recording.span
    assert (found.kind, found.status.status_code, found.status.description) == (
        SpanKind.INTERNAL,
        StatusCode.ERROR,
        "ValueError",
    )
    assert recording.attributes == {"code.function.name": "answer", "error.type": "ValueError"}
    assert "secret" not in found.to_json()


def test_where_content_is_recorded_a_failure_says_why(record: Record) -> None:
    """With content on, the status carries the exception's message; a message that cannot be read is left out."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    recording = record(Settings(content=Content.SPAN_ONLY))
    for error in (ValueError("no such model"), Mute()):
        recording.call(ending=Ending.from_error(error))
    assert [span.status.description for span in recording.spans] == [
        "ValueError: no such model",
        f"{Mute.__qualname__}",
    ]


@pytest.mark.parametrize(
    ("ending", "status", "expected"),
    [
        (Ending(EndKind.CLOSED), StatusCode.UNSET, {"specspan.stream.end": "closed"}),
        (Ending(EndKind.ABANDONED), StatusCode.UNSET, {"specspan.stream.end": "abandoned"}),
        (Ending.from_error(asyncio.CancelledError()), StatusCode.ERROR, {"error.type": "CancelledError"}),
        (Ending(EndKind.CANCELLED), StatusCode.ERROR, {"error.type": "CancelledError"}),
        (Ending(EndKind.FAILED), StatusCode.ERROR, {"error.type": "_OTHER"}),
        (COMPLETED, StatusCode.UNSET, {}),
    ],
)
def test_every_ending_is_told_apart(record: Record, ending: Ending, status: StatusCode, expected: object) -> None:
    """Closed, abandoned, cancelled, failed and completed work never look alike."""
    recording = record()
    recording.recorder.end_work(recording.recorder.start_work("w", CallContext(), {}), ending)
    assert recording.span.status.status_code is status
    assert recording.attributes == expected


def test_a_thousand_violations_leave_a_whole_summary_within_the_default_limits(record: Record) -> None:
    """1,000 clauses all violated: the summary is complete, and nothing was evicted from the span."""
    clauses = [f"clause_{number}" for number in range(1000)]
    recording = record()
    recording.call(decision(*(replace(SSN, clause=clause) for clause in clauses)))
    span, found = recording.span, recording.attributes
    assert SpanLimits().max_span_attributes == 128
    assert (span.dropped_attributes, span.dropped_events) == (0, 0)
    assert found["specspan.clauses.violated"] == tuple(clauses)
    assert found["specspan.clauses.complied"] == 0
    assert found["specspan.clauses.considered"] == 1010
    assert sum(name.startswith("specspan.clause.") for name in found) == 32
    assert len(span.events) == 64
    assert found["specspan.findings.events_dropped"] == 1000 - 64
    assert found["specspan.decision.verdict"] == "violated"
    assert found["gen_ai.operation.name"] == "chat"


def test_under_a_tight_limit_the_decision_survives() -> None:
    """The SDK drops what was set first: with 16 attributes left, they are the decision's."""
    spans = InMemorySpanExporter()
    provider = TracerProvider(span_limits=SpanLimits(max_span_attributes=16), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    recorder = Recorder(Settings(), tracer_provider=provider)
    recorder.end_call(recorder.start_call(REQUEST, CONTEXT), CALL, decision(KIND, SSN), COMPLETED, Timing(1.0))
    recorder.shutdown()
    (span,) = spans.get_finished_spans()
    found = dict(span.attributes or {})
    assert {name for name in found if name.startswith("specspan.decision.")} >= {
        "specspan.decision.id",
        "specspan.decision.verdict",
        "specspan.decision.action",
        "specspan.decision.mode",
    }
    assert found["specspan.clauses.violated"] == ("protect_privacy",)


def test_the_worst_clauses_stand_first() -> None:
    """Of more than 32 clauses that did not comply, the violated ones are named before errors, doubts and overrides."""
    recording = Recording()
    outcomes = [Outcome.OVERRIDDEN, Outcome.PENDING, Outcome.UNCERTAIN, Outcome.ERROR, Outcome.VIOLATED]
    findings = [Finding(outcome, clause=f"{outcome}_{number}") for outcome in outcomes for number in range(10)]
    recording.call(decision(*findings))
    recording.close()
    named = [name for name in recording.attributes if name.startswith("specspan.clause.")]
    assert [name.removeprefix("specspan.clause.").split("_")[0] for name in named] == (
        ["violated"] * 10 + ["error"] * 10 + ["uncertain"] * 10 + ["pending"] * 2
    )


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (FindingEvents.NONE, []),
        (FindingEvents.VIOLATIONS, ["protect_privacy"]),
        (FindingEvents.ALL, ["protect_privacy", "be_kind"]),
    ],
)
def test_events_are_those_asked_for(record: Record, which: FindingEvents, expected: list[str]) -> None:
    """Findings become events by the setting, the worst first."""
    recording = record(Settings(finding_events=which))
    recording.call(decision(KIND, SSN))
    events = [(event.attributes or {})["specspan.finding.clause"] for event in recording.span.events]
    assert events == expected


def test_what_no_exporter_could_encode_is_mended(record: Record) -> None:
    """Lone surrogates and endless names from a provider do not spoil the batch they are exported in."""
    hostile = "\ud800" + "x" * 5000
    recording = record()
    request = Request(provider="openai", model=hostile, parameters={"stop_sequences": (hostile,)}, conversation=hostile)
    recording.call(call=ModelCall(request, Response(id=hostile, model=hostile, finish_reasons=(hostile,))))
    assert len(recording.span.name) <= 256
    for value in (recording.span.name, *recording.attributes.values()):
        for text in value if isinstance(value, tuple) else (value,):
            str(text).encode()
            assert len(str(text)) <= 1024


def test_a_span_is_ended_whatever_fails(record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure of our own while recording leaves no span open and does not reach the application."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    monkeypatch.setattr("specspan.record.attributes.at_end", lambda *_: 1 / 0)
    recording = record()
    recording.call(decision(SSN))
    assert recording.span.end_time is not None
    assert [entry["id"] for entry in recording.records] == ["d-1"]


def test_refused_overrides_are_named(record: Callable[..., Recording]) -> None:
    """The clauses whose override was refused stand on the span, each once; granted ones do not."""
    recording = record()
    asked = [Override(clause, "developer", "…") for clause in ("a", "b", "a")]
    rulings = (
        *(OverrideRuling(each, False, "top_level") for each in asked),
        OverrideRuling(Override("c", "u", "…"), True),
    )
    recording.call(decision(KIND, overrides=rulings))
    assert recording.attributes["specspan.overrides.refused"] == ("a", "b")


def test_an_event_lists_the_first_places(record: Record) -> None:
    """A finding of many places lists four in its event and says how many there are; its record has every one."""
    places = tuple(replace(SSN.evidence[0], start=start, end=start + 1) for start in range(9))
    recording = record()
    recording.call(decision(replace(SSN, evidence=places)))
    event = recording.span.events[0].attributes or {}
    assert event["specspan.finding.evidence"] == tuple(f"/output/0/parts/0:{at}-{at + 1}" for at in range(4))
    assert event["specspan.finding.evidence_count"] == 9
    assert "specspan.finding.evidence_count" not in SSN_ATTRIBUTES
