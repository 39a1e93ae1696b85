"""Somebody else traces the same calls: one span and one measurement for each, whoever comes first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import anthropic
import httpx2
import pytest
import wrapt
from anthropic_wire import Wire as AnthropicWire
from anthropic_wire import events, message
from anthropic_wire import sse as anthropic_sse
from ended_spans import Spans
from openai.resources.chat.completions import Completions
from openai_wire import Wire, ask_sync, chunks, completion, sse
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, Tracer
from opentelemetry.trace import SpanKind, Status, StatusCode, use_span
from policies import bound, pattern, policy

from specspan._support import drop_counts
from specspan.decision import Action, Mode, Stage
from specspan.engine.engine import Engine
from specspan.errors import Blocked
from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.install import instrument, uninstrument
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

OURS = "chat gpt-test"
THEIRS = "ChatCompletion"
DIALECTS: dict[str, Mapping[str, str]] = {
    "conventions": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-test"},
    "openinference": {"openinference.span.kind": "LLM"},
    "traceloop": {"llm.request.type": "chat", "gen_ai.system": "OpenAI"},
    "logfire": {"gen_ai.request.model": "gpt-test", "async": "False"},
    "mlflow": {"mlflow.spanType": '"CHAT_MODEL"'},
    "langsmith": {"langsmith.span.kind": "llm"},
}
dialects = pytest.mark.parametrize("marks", DIALECTS.values(), ids=DIALECTS)
streaming = pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])


@pytest.fixture
def other() -> Iterator[Callable[..., None]]:
    """Installs another instrumentation of OpenAI's client, which starts a span with some attributes."""
    original = vars(Completions)["create"]

    def install(spans: Spans, marks: Mapping[str, str], scope: str = "other", *, closure: bool = False) -> None:
        tracer = spans.provider.get_tracer(scope)

        def traced(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            span = tracer.start_span(THEIRS, None, SpanKind.CLIENT, marks)
            with use_span(span):
                answer = wrapped(*args, **kwargs)
            span.set_attribute("gen_ai.prompt", "secret")
            return ended_after(span, answer) if kwargs.get("stream") else ended(span, answer)

        if closure:
            inner = vars(Completions)["create"]
            by_hand: Any = lambda self, **kwargs: traced(inner.__get__(self), None, (), kwargs)  # noqa: E731 - as short
            Completions.create = by_hand  # type: ignore[method-assign]  # as some do
        else:
            wrapt.wrap_function_wrapper(Completions, "create", traced)

    yield install
    Completions.create = original  # type: ignore[method-assign]  # as it was


def ended(span: Any, answer: Any) -> Any:
    span.set_status(Status(StatusCode.OK))
    span.end()
    return answer


def ended_after(span: Any, stream: Any) -> Iterator[Any]:
    yield from stream
    ended(span, None)


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    yield
    uninstrument()
    activate(None)


def ask(*, stream: bool = False) -> Any:
    return ask_sync(Wire(sse(chunks("hello")) if stream else completion()), stream=stream)


def decided(spans: Spans, mode: Mode = Mode.OBSERVE, meter_provider: MeterProvider | None = None) -> Recorder:
    """A pipeline whose policy does not want to hear "hello"."""
    recorder = Recorder(Settings(), tracer_provider=spans.provider, meter_provider=meter_provider)
    rule = policy(bound("quiet", pattern("hello", stage=Stage.OUTPUT), action=Action.BLOCK), mode=mode)
    activate(Pipeline(recorder, Engine(rule)))
    return recorder


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
@streaming
@dialects
def test_around_ours(
    spans: Spans, other: Callable[..., None], marks: Mapping[str, str], *, stream: bool, ours_first: bool
) -> None:
    """Their span is the call's: it carries the decision and what we know of the call, and ends when they end it."""
    decided(spans)
    if ours_first:
        instrument("openai")
    other(spans, marks)
    instrument("openai")
    ask(stream=stream)
    assert spans.names == [THEIRS]
    found = spans.attributes(THEIRS)
    assert found["specspan.decision.verdict"] == "violated"
    assert (found["gen_ai.request.model"], found["gen_ai.usage.input_tokens"]) == ("gpt-test", 12)
    assert found.items() >= marks.items()


@dialects
def test_inside_ours(spans: Spans, other: Callable[..., None], marks: Mapping[str, str]) -> None:
    """Ours is the call's, and they are lent it: they neither end it nor judge it, nor leave content on it."""
    decided(spans)
    other(spans, marks, closure=True)
    instrument("openai")
    ask()
    assert spans.names == [OURS]
    assert spans.named(OURS).status.status_code is StatusCode.UNSET
    found = spans.attributes(OURS)
    assert found["specspan.decision.verdict"] == "violated"
    assert "gen_ai.prompt" not in found


def test_theirs_is_put_back_as_it_was(spans: Spans, other: Callable[..., None]) -> None:
    """Ours is taken out from under theirs, whichever of the two is undone first."""
    original = vars(Completions)["create"]
    other(spans, DIALECTS["conventions"])
    theirs: Any = vars(Completions)["create"]
    instrument("openai")
    uninstrument()
    assert vars(Completions)["create"] is theirs
    assert theirs.__wrapped__ is original
    instrument("openai")
    Completions.create = theirs.__wrapped__  # type: ignore[method-assign]  # as instrumentations undo themselves
    uninstrument()
    assert vars(Completions)["create"] is original


def test_blocked_inside_theirs(spans: Spans, other: Callable[..., None]) -> None:
    """What the policy stopped is an error on their span, too."""
    decided(spans, Mode.ENFORCE)
    instrument("openai")
    other(spans, DIALECTS["conventions"])
    with pytest.raises(Blocked):
        ask()
    with spans.tracer.start_as_current_span(THEIRS, attributes=DIALECTS["conventions"]), pytest.raises(Blocked):
        ask()


@pytest.mark.parametrize(
    "marks", [{}, {"gen_ai.operation.name": "invoke_agent", "gen_ai.request.model": "gpt-test"}], ids=["work", "agent"]
)
def test_a_span_that_is_no_model_call(spans: Spans, marks: Mapping[str, str]) -> None:
    """Below work and agents, a call has its own span."""
    instrument("openai")
    with spans.tracer.start_as_current_span("outer", attributes=marks):
        ask()
    assert spans.parent_of(OURS) == "outer"


def test_two_calls_in_one_span(spans: Spans) -> None:
    """A span is one call's: the next one, such as a second attempt, has its own below it."""
    instrument("openai")
    with spans.tracer.start_as_current_span(THEIRS, attributes=DIALECTS["conventions"]):
        ask()
        ask()
    assert sorted(spans.names) == sorted([THEIRS, OURS])
    assert spans.parent_of(OURS) == THEIRS


def test_spans_that_go_elsewhere(spans: Spans, other: Callable[..., None]) -> None:
    """Whoever exports to another place gets the whole of it, and so do we."""
    for install_first in (True, False):
        elsewhere = Spans()
        if install_first:
            other(elsewhere, DIALECTS["conventions"])
        instrument("openai")
        if not install_first:
            other(elsewhere, DIALECTS["conventions"])
        spans.clear()
        ask()
        assert (spans.names, elsewhere.names[:1]) == ([OURS], [THEIRS])
        uninstrument()


def test_a_second_span_of_the_same_scope_is_another_call(spans: Spans) -> None:
    """What a tool asks of a model inside a call is not the call."""
    instrument("openai")

    def during() -> None:
        for _ in range(2):
            with spans.provider.get_tracer("other").start_as_current_span(THEIRS, attributes=DIALECTS["conventions"]):
                pass

    ask_sync(Wire(completion(), during=during))
    assert sorted(spans.names) == sorted([THEIRS, OURS])
    assert spans.parent_of(THEIRS) == OURS


def test_what_is_lent_looks_like_a_span(spans: Spans) -> None:
    """It can be asked everything a span can, in a ``with`` of its own, too; an error in it is not the call's."""
    instrument("openai")
    seen = []

    def during() -> None:
        tracer = spans.provider.get_tracer("other")
        with tracer.start_span(THEIRS, attributes=DIALECTS["conventions"]) as span:
            seen.append((isinstance(span, ReadableSpan), span.is_recording(), span.name))  # type: ignore[attr-defined]
            span.update_name("theirs")
            span.add_event("theirs")
            span.set_attributes({"input.value": "secret", "http.response.status_code": 200})
            span.record_exception(ValueError("theirs"))
        span.end()

    ask_sync(Wire(completion(), during=during))
    assert seen == [(True, True, OURS)]
    found = spans.named(OURS)
    assert found.events == ()
    assert spans.attributes(OURS)["http.response.status_code"] == 200
    assert "input.value" not in spans.attributes(OURS)


@pytest.mark.parametrize("marks", [{"gen_ai.operation.name": ["chat"]}, {"llm.request.type": ["chat", "x"]}])
def test_marks_of_another_type(spans: Spans, marks: Mapping[str, Any]) -> None:
    """They mark nothing, and harm nobody."""
    instrument("openai")
    with spans.tracer.start_as_current_span("odd", attributes=marks):
        ask_sync(Wire(completion(), during=lambda: spans.tracer.start_span("inner", attributes=marks).end()))
    assert spans.parent_of(OURS) == "odd"
    assert spans.parent_of("inner") == OURS


def test_their_span_has_ended(spans: Spans) -> None:
    """Where they end it before the answer was read, the decision cannot be on it, and that is counted."""
    decided(spans)
    instrument("openai")
    lost = ("decision_on_span", "ended_by_another")
    before = drop_counts.totals().get(lost, 0)
    wire = Wire(sse(chunks("hello")))
    with spans.tracer.start_as_current_span(THEIRS, attributes=DIALECTS["conventions"]), wire.sync_client() as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
    list(stream)
    assert spans.names == [THEIRS]
    assert drop_counts.totals()[lost] == before + 1


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize(
    ("scope", "times"), [("opentelemetry.instrumentation.openai_v2", 0), ("openinference.instrumentation.openai", 1)]
)
def test_tokens_are_measured_once(
    spans: Spans, other: Callable[..., None], scope: str, times: int, *, ours_first: bool
) -> None:
    """By them where they measure, else by us; decisions are ours to count in any case."""
    reader = InMemoryMetricReader()
    recorder = decided(spans, meter_provider=MeterProvider([reader]))
    if ours_first:
        instrument("openai")
    other(spans, DIALECTS["conventions"], scope)
    instrument("openai")
    ask()
    recorder.force_flush(5)
    data = reader.get_metrics_data()
    assert data is not None
    names = [
        metric.name for each in data.resource_metrics for scoped in each.scope_metrics for metric in scoped.metrics
    ]
    assert names.count("gen_ai.client.token.usage") == times
    assert names.count("specspan.decisions") == 1


def test_undone() -> None:
    """Tracers are put back as they were."""
    before = Tracer.start_span
    instrument("openai")
    assert Tracer.start_span is not before
    instrument()
    uninstrument()
    assert Tracer.start_span is before


class Self(AnthropicWire):
    """A service behind a client that traces itself, and the headers of what it is asked."""

    def __init__(self, body: Any) -> None:
        super().__init__(body)
        self.traced: list[str | None] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.traced.append(request.headers.get("traceparent"))
        response = super().__call__(request)
        response.headers["request-id"] = "req_1"
        return response

    def client(self, spans: Spans) -> anthropic.Anthropic:
        http = httpx2.Client(transport=httpx2.MockTransport(self))
        tracing: Any = {"tracer_provider": spans.provider, "traces": {"content_mode": "content"}}
        return anthropic.Anthropic(api_key="k", http_client=http, open_telemetry=tracing)


@pytest.mark.parametrize("way", ["plain", "streamed", "helper"])
def test_a_client_that_traces_itself(spans: Spans, way: str) -> None:
    """Its span is ours: what it knows of the connection is there, its content is not, and the service is told of it."""
    decided(spans)
    body = message("hello") if way == "plain" else "".join(anthropic_sse(events(["hello"])))
    asked: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "secret"}]}
    wire = Self(body)
    with wire.client(spans) as client:
        instrument("anthropic")
        read(client, way, asked)
        (span,) = spans.all
        assert span.name == "chat m"
        found = span.attributes or {}
        assert (found["anthropic.request.id"], found["http.response.status_code"]) == ("req_1", 200)
        assert found["specspan.decision.verdict"] == "violated"
        assert "secret" not in json.dumps(dict(found), default=str)
        assert span.context is not None
        (sent,) = wire.traced
        assert str(sent).startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
        spans.clear()
        uninstrument()
        read(client, way, asked)
        assert spans.names == ["anthropic.messages.create"]


def read(client: anthropic.Anthropic, way: str, asked: dict[str, Any]) -> None:
    if way == "plain":
        client.messages.create(**asked)
    elif way == "streamed":
        list(client.messages.create(**asked, stream=True))
    else:
        with client.messages.stream(**asked) as stream:
            stream.get_final_message()
