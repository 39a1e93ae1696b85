"""Whole spans, as an exporter gets them."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from specspan.call import CallContext, Message, ModelCall, Request, Response, ScopeOfAutonomy, Text, Usage
from specspan.decision import Action, Decision, Finding, Mode, Outcome, SpecRef, Summary, Verdict
from specspan.errors import Blocked
from specspan.record.model import Ending, EndKind, Timing
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

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


def violated(**changes: Any) -> Decision:
    given: dict[str, Any] = {
        "id": "d-1",
        "time_unix_nano": 5,
        "specs": (SpecRef("model-spec", "2025-09-12", "sha256:aa"),),
        "policy_digest": "sha256:bb",
        "mode": Mode.OBSERVE,
        "verdict": Verdict.VIOLATED,
        "action": Action.FLAG,
        "would": Action.BLOCK,
        "governing_clause": "protect_privacy",
        "reason": "ssn",
        "findings": (Finding(Outcome.VIOLATED, "ssn", clause="protect_privacy", authority="root"),),
        "summary": Summary("be_kind protect_privacy", ("protect_privacy",), considered=12, unassessed=10),
    }
    return Decision(**given | changes)


def spans_of(settings: Settings | None = None) -> tuple[Recorder, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Recorder(settings or Settings(), tracer_provider=provider), exporter


def one(exporter: InMemorySpanExporter) -> ReadableSpan:
    (span,) = exporter.get_finished_spans()
    return span


def test_a_whole_call_is_one_client_span() -> None:
    """The span of a call carries what was asked, what came back and what was decided."""
    recorder, exporter = spans_of()
    span = recorder.start_call(REQUEST, CONTEXT)
    recorder.end_call(span, CALL, violated(), Ending(EndKind.COMPLETED), Timing(1.5, 0.25))
    found = one(exporter)
    assert (found.name, found.kind, found.status.status_code) == ("chat gpt-5", SpanKind.CLIENT, StatusCode.UNSET)
    assert dict(found.attributes or {}) == {
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
        "specspan.scope.allowed_tools": ("search",),
        "gen_ai.response.id": "r-1",
        "gen_ai.response.model": "gpt-5-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.response.time_to_first_chunk": 0.25,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "specspan.clause.protect_privacy": "violated",
        "specspan.clauses.applied": "be_kind protect_privacy",
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


def test_a_blocked_call_is_an_error_of_our_own_name() -> None:
    """Only a call that the policy stopped has the status of an error."""
    recorder, exporter = spans_of()
    decision = violated(mode=Mode.ENFORCE, action=Action.BLOCK, would=None)
    span = recorder.start_call(REQUEST, CONTEXT)
    recorder.end_call(span, CALL, decision, Ending.of(Blocked(decision)), Timing(1.0))
    found = one(exporter)
    assert found.status.status_code is StatusCode.ERROR
    assert (found.attributes or {})["error.type"] == "specspan.blocked"


def test_a_failure_is_named_by_its_class_and_quotes_nothing() -> None:
    """The message of an exception may quote a prompt, so the status names its class alone."""
    recorder, exporter = spans_of()
    span = recorder.start_work("answer", CallContext(), {"code.function.name": "answer"})
    recorder.end_work(span, Ending.of(ValueError("secret prompt")))
    found = one(exporter)
    assert (found.status.status_code, found.status.description) == (StatusCode.ERROR, "ValueError")
    assert "secret" not in found.to_json()
