"""Real instrumentations of others, as they are published: what they record of a call is what is decided."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import pytest
from bridging import RULES, outcomes
from openai_wire import Wire, ask_async, ask_sync, chunks, completion, response, sse
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from other_instrumentations import OTHERS, instrumentor
from other_signals import Signals
from policies import Code, bound, policy

import specspan
from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.decision import Mode, Stage
from specspan.runtime.completion_hook import CompletionHook
from specspan.testing import MemoryDecisions

LATEST = {"OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental"}
ASKED = [
    {"role": "system", "content": "be nice"},
    {"role": "user", "content": "something evil"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get", "arguments": '{"a": 1}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "42"},
]


class Seen:
    """A check that complies and keeps the calls it was asked about."""

    def __init__(self) -> None:
        self.calls: list[ModelCall] = []

    def __call__(self, call: ModelCall, texts: Sequence[TextAt]) -> bool:
        self.calls.append(call)
        return True


def configured(signals: Signals, **changes: Any) -> tuple[MemoryDecisions, Seen]:
    """Bridged to whatever provider they use, before or after they were installed."""
    seen, records = Seen(), MemoryDecisions()
    clauses = [*RULES.clauses.values(), bound("seen", Code(seen)), bound("asked", Code(seen, stage=Stage.INPUT))]
    given = {
        "bridges": True,
        "tracer_provider": signals.tracers,
        "meter_provider": signals.meters,
        "logger_provider": signals.loggers,
        "decision_exporters": [records],
    }
    specspan.configure(policy(*clauses, mode=Mode.OBSERVE), **{**given, **changes})
    return records, seen


def decided(records: MemoryDecisions) -> list[Mapping[str, Any]]:
    assert specspan.force_flush()
    return list(records.decisions)


def _otel(mode: str, environment: Mapping[str, str]) -> Callable[[pytest.MonkeyPatch], AbstractContextManager[Signals]]:
    def made(patch: pytest.MonkeyPatch) -> AbstractContextManager[Signals]:
        for name, value in {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": mode, **environment}.items():
            patch.setenv(name, value)
        return instrumentor("opentelemetry.instrumentation.openai_v2")

    return made


THEIRS: dict[str, tuple[str, Callable[[pytest.MonkeyPatch], AbstractContextManager[Signals]]]] = {
    "opentelemetry, log records": ("gen_ai", _otel("true", {})),
    "opentelemetry, attributes": ("gen_ai", _otel("SPAN_ONLY", LATEST)),
    "opentelemetry, one log record": ("gen_ai", _otel("EVENT_ONLY", LATEST)),
    "openinference": ("openinference", lambda patch: OTHERS["openinference"]()),
    "openllmetry": ("gen_ai", lambda patch: OTHERS["openllmetry"]()),
    "logfire": ("logfire", lambda patch: OTHERS["logfire"]()),
}


@pytest.fixture(params=list(THEIRS.values()), ids=list(THEIRS))
def theirs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Signals]]:
    """Another instrumentation that records content, installed; and the dialect it speaks."""
    dialect, make = request.param
    _afresh()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with make(monkeypatch) as found:
            found.install()
            yield dialect, found
            specspan.shutdown()
    _afresh()


def _afresh() -> None:
    """OpenTelemetry's instrumentations read their switches once a process."""
    from opentelemetry.instrumentation._semconv import _OpenTelemetrySemanticConventionStability as Stability

    Stability._initialized = False
    Stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING = {}


WAYS: dict[str, Callable[[], Any]] = {
    "plain": lambda: ask_sync(Wire(completion("hello")), messages=ASKED),
    "streamed": lambda: ask_sync(
        Wire(sse(chunks("hel", "lo"))), stream=True, stream_options={"include_usage": True}, messages=ASKED
    ),
    "async": lambda: ask_async(Wire(completion("hello")), messages=ASKED),
    "async streamed": lambda: ask_async(
        Wire(sse(chunks("hel", "lo"))), stream=True, stream_options={"include_usage": True}, messages=ASKED
    ),
}


@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
def test_a_call_has_one_decision_about_all_of_it(theirs: tuple[str, Signals], ask: Callable[[], Any]) -> None:
    """Question and answer are decided as if specspan had met the call, in the trace of their span."""
    dialect, signals = theirs
    records, seen = configured(signals)
    with signals.tracers.get_tracer("app").start_as_current_span("work"):
        ask()
    [record] = decided(records)
    assert outcomes(record)["quiet"] == ("violated", "loud")
    assert outcomes(record)["kind"][0] == "violated"
    assert record["call"]["dialect"] == dialect
    assert (record["call"]["provider"], record["call"]["model"]) == ("openai", "gpt-test")
    assert record["call"]["usage"].items() >= {"input_tokens": 12, "output_tokens": 5}.items()
    [call, _] = seen.calls
    assert [message.role for message in call.input] == ["system", "user", "assistant", "tool"]
    assert "something evil" in call.input_text
    assert call.output_text == "hello"
    (work,) = [span for span in signals.exporter.get_finished_spans() if span.name == "work"]
    (decision,) = [span for span in signals.exporter.get_finished_spans() if span.name == "specspan.decision"]
    assert (decision.context.trace_id, record["trace_id"]) == (
        work.context.trace_id,
        trace.format_trace_id(work.context.trace_id),
    )


def test_tool_calls_are_decided(theirs: tuple[str, Signals]) -> None:
    """A tool that may not be called is one whoever says so."""
    _, signals = theirs
    records, seen = configured(signals)
    ask_sync(Wire(completion(None, tools=[("wipe", '{"disk": 1}')])))
    [record] = decided(records)
    assert outcomes(record)["tools"] == ("violated", "tool_not_allowed")
    call = seen.calls[-1]
    assert [(tool.name, tool.arguments, tool.id) for tool in call.tool_calls] == [("wipe", {"disk": 1}, "call_wipe")]
    assert call.response is not None
    assert call.response.finish_reasons[0].startswith("tool_call")


def test_a_refused_call_has_no_answer(theirs: tuple[str, Signals]) -> None:
    """The service said 400: what was asked is decided, and nothing complies that needs an answer."""
    import openai

    _, signals = theirs
    records, _ = configured(signals)
    with pytest.raises(openai.BadRequestError):
        ask_sync(Wire({"error": {"message": "no"}}, status=400), messages=ASKED)
    [record] = decided(records)
    assert outcomes(record)["quiet"] == ("unassessed", "not_reached")
    assert outcomes(record)["kind"][0] in ("violated", "unassessed")


def test_beside_a_call_that_specspan_meets_nothing_is_decided_twice(theirs: tuple[str, Signals]) -> None:
    """Whoever else traces it, and though bridges are asked for."""
    _, signals = theirs
    records, _ = configured(signals)
    specspan.instrument("openai")
    try:
        with signals.tracers.get_tracer("app").start_as_current_span("work"):
            ask_sync(Wire(completion("hello")), messages=ASKED)
            ask_sync(Wire(sse(chunks("hel", "lo"))), stream=True, messages=ASKED)
    finally:
        specspan.uninstrument()
    assert [record["call"].get("dialect") for record in decided(records)] == [None, None]


def test_the_responses_api(theirs: tuple[str, Signals]) -> None:
    """Those that trace it have it decided."""
    dialect, signals = theirs
    records, seen = configured(signals)
    with Wire(response("hello")).sync_client() as client:
        client.responses.create(model="gpt-test", input="something evil", instructions="be nice")
    found = decided(records)
    if dialect == "gen_ai" and not signals.model_calls:  # this version of OpenTelemetry's own does not
        assert found == []
        return
    [record] = found
    assert (outcomes(record)["quiet"][0], outcomes(record)["kind"][0]) == ("violated", "violated")
    assert seen.calls[-1].output_text == "hello"


def test_nothing_complies_where_they_record_no_content(monkeypatch: pytest.MonkeyPatch) -> None:
    """As OpenTelemetry's own does by default: names of tools are decided, texts are unassessed."""
    _afresh()
    with _otel("false", {})(monkeypatch) as signals:
        signals.install()
        records, seen = configured(signals)
        ask_sync(Wire(completion("hello", tools=[("wipe", "{}")])), messages=ASKED)
        [record] = decided(records)
        specspan.shutdown()
    assert outcomes(record) == {
        "quiet": ("unassessed", "content_not_recorded"),
        "kind": ("unassessed", "content_not_recorded"),
        "tools": ("violated", "tool_not_allowed"),
        "seen": ("unassessed", "content_not_recorded"),
        "asked": ("unassessed", "content_not_recorded"),
    }
    assert seen.calls == []


def test_a_completion_hook_hands_over_what_is_recorded_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call is decided whole, and its span has no content."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_COMPLETION_HOOK", "specspan")
    _afresh()
    with _otel("NO_CONTENT", LATEST)(monkeypatch) as signals:
        signals.install()
        records, seen = configured(signals)
        ask_sync(Wire(completion("hello")), messages=ASKED)
        [record] = decided(records)
        specspan.shutdown()
    _afresh()
    assert outcomes(record)["quiet"] == ("violated", "loud")
    assert outcomes(record)["kind"][0] == "violated"
    assert seen.calls[-1].output_text == "hello"
    [span] = signals.model_calls
    assert not [name for name in span.attributes or {} if "messages" in name]


def test_a_hook_without_a_bridge_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """Content that was handed over is let go of."""
    specspan.shutdown()
    hook = CompletionHook()
    span = TracerProvider(shutdown_on_exit=False).get_tracer("x").start_span("call")
    hook.on_completion(inputs=[], outputs=[], system_instruction=[], span=span, log_record=None)
    hook.on_completion(inputs=[], outputs=[], system_instruction=[], span=span, log_record=None)
    assert len(caplog.messages) == 1
    assert "bridges=True" in caplog.messages[0]
