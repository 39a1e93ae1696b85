"""Anthropic messages: what of a request and of an answer is understood, plain and streamed, sync and async."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic, AnthropicBedrock, AnthropicVertex, NotFoundError
from anthropic_wire import WAYS, Wire, ask, events, message, sse, thinking, tool_use
from ended_spans import Spans
from policies import bound, pattern, policy

from specspan._support import drop_counts
from specspan.decision import Action
from specspan.errors import Blocked
from specspan.instrument.install import uninstrument
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("anthropic_instrumented")

SPAN = "chat claude-test"
USER: dict[str, Any] = {"role": "user", "content": "hi"}
TOOL = {"name": "search", "description": "Looks things up.", "input_schema": {"type": "object", "properties": {}}}


def wire_for(way: str, *content: Any, **changes: Any) -> Wire:
    """The same answer in the shape that a way of asking is answered in."""
    if way in ("stream", "helper"):
        pieces = [[each] if isinstance(each, str) else each for each in content]
        return Wire("".join(sse(events(*pieces, **changes))))
    return Wire(message(*content, **changes))


def output(spans: Spans) -> list[dict[str, Any]]:
    (said,) = json.loads(spans.attributes(SPAN)["gen_ai.output.messages"])
    return list(said["parts"])


def sent(spans: Spans) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(spans.attributes(SPAN)["gen_ai.input.messages"])
    return found


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
def test_an_answer(content_spans: Spans, way: str, *, is_async: bool) -> None:
    """However it is asked for, the span says what the answer says; what came from the cache is part of the input."""
    content = (thinking("Let me see."), "It is ", "here.", tool_use("search", {"q": "order 7"}))
    ask(wire_for(way, *content, stop_reason="tool_use"), way, is_async=is_async)
    found = content_spans.attributes(SPAN)
    assert {name: value for name, value in found.items() if name.startswith(("gen_ai.response.", "gen_ai.usage."))} == {
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.model": "claude-test-2026",
        "gen_ai.response.finish_reasons": ("tool_calls",),
        "gen_ai.usage.input_tokens": 17,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 3,
    } | {name: value for name, value in found.items() if name.endswith("time_to_first_chunk")}
    assert found.get("gen_ai.request.stream", False) is (way in ("stream", "helper"))
    assert output(content_spans) == [
        {"type": "reasoning", "content": "Let me see."},
        {"type": "text", "content": "It is "},
        {"type": "text", "content": "here."},
        {"type": "tool_call", "id": "toolu_search", "name": "search", "arguments": {"q": "order 7"}},
    ]


@pytest.mark.parametrize("way", WAYS)
def test_the_application_gets_the_clients_own_objects(spans: Spans, way: str) -> None:
    """What is handed over is what the client would have handed over."""
    content = (thinking("Hm."), "Hello.", tool_use("search", {"q": "x"}))
    met = ask(wire_for(way, *content), way)
    assert spans.names == [SPAN]
    uninstrument()
    alone = ask(wire_for(way, *content), way)
    assert type(met) is type(alone)
    assert met == alone


def test_a_request(content_spans: Spans) -> None:
    """What was asked is on the span: parameters, the system's instructions, tools, and every kind of block."""
    messages = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look:"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aWJu"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Page one."}},
            ],
        },
        {"role": "assistant", "content": [thinking("Hm."), tool_use("search", {"q": "x"})]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Nothing."},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [
                        {"type": "text", "text": "Found."},
                        {"type": "image", "source": {"type": "url", "url": "https://example.com/b.png"}},
                    ],
                },
                {"type": "tool_result", "tool_use_id": "toolu_3"},
            ],
        },
    ]
    ask(
        Wire(message("Yes.")),
        messages=iter(messages),
        system=[{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        extra_body={"temperature": 0.5, "top_k": 3},
        stop_sequences=["END"],
        tools=[TOOL],
    )
    found = content_spans.attributes(SPAN)
    asked = {name: value for name, value in found.items() if name.startswith(("gen_ai.request.", "server."))}
    assert asked == {
        "gen_ai.request.model": "claude-test",
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_k": 3,
        "gen_ai.request.stop_sequences": ("END",),
        "server.address": "api.anthropic.com",
        "server.port": 443,
    }
    assert json.loads(found["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be kind."}]
    assert json.loads(found["gen_ai.tool.definitions"]) == [TOOL]
    assert [each["parts"] for each in sent(content_spans)] == [
        [
            {"type": "text", "content": "Look:"},
            {"type": "uri", "modality": "image", "mime_type": "image/png"},
            {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
            {"type": "uri", "modality": "file", "uri": "file_1"},
            {"type": "text", "content": "Page one."},
        ],
        [
            {"type": "reasoning", "content": "Hm."},
            {"type": "tool_call", "id": "toolu_search", "name": "search", "arguments": {"q": "x"}},
        ],
        [
            {"type": "tool_call_response", "id": "toolu_1", "response": "Nothing."},
            {"type": "tool_call_response", "id": "toolu_2", "response": "Found."},
            {"type": "uri", "modality": "image", "uri": "https://example.com/b.png"},
            {"type": "tool_call_response", "id": "toolu_3"},
        ],
    ]


def test_results_of_the_services_own_tools(content_spans: Spans) -> None:
    """They are what a tool answered, without what is encrypted."""
    result = {
        "type": "web_search_tool_result",
        "tool_use_id": "srv_1",
        "content": [{"type": "web_search_result", "title": "A", "url": "https://a.example", "encrypted_content": "x"}],
    }
    call = {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "a"}}
    ask(Wire(message(call, result, {"type": "redacted_thinking", "data": "x"})))
    assert output(content_spans) == [
        {"type": "tool_call", "id": "srv_1", "name": "web_search", "arguments": {"query": "a"}},
        {
            "type": "tool_call_response",
            "id": "srv_1",
            "response": [{"type": "web_search_result", "title": "A", "url": "https://a.example"}],
        },
        {"type": "reasoning", "content": ""},
    ]


@pytest.mark.parametrize(
    ("said", "recorded"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_why_it_stopped(spans: Spans, said: str, recorded: str) -> None:
    """In the conventions' words; where they have none, in the service's."""
    ask(Wire(message("…", stop_reason=said)))
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == (recorded,)


def test_reasoning_tokens(spans: Spans) -> None:
    """They are part of the output, and told apart."""
    ask(
        Wire(
            message("…", usage={"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 5}})
        )
    )
    found = spans.attributes(SPAN)
    assert (found["gen_ai.usage.output_tokens"], found["gen_ai.usage.reasoning.output_tokens"]) == (9, 5)
    assert "gen_ai.usage.cache_read.input_tokens" not in found


def test_an_error_of_the_service(spans: Spans) -> None:
    """The client's own exception reaches the application and names the span's error."""
    with pytest.raises(NotFoundError):
        ask(Wire({"type": "error", "error": {"type": "not_found_error", "message": "model: x"}}, 404))
    assert spans.ending(SPAN) == "NotFoundError"


@pytest.mark.parametrize(
    ("client", "provider"),
    [
        (lambda: Anthropic(api_key="k"), "anthropic"),
        (lambda: AnthropicVertex(region="eu", project_id="p", access_token="t"), "gcp.vertex_ai"),
        (lambda: AnthropicBedrock(aws_region="eu-west-1", aws_access_key="a", aws_secret_key="s"), "aws.bedrock"),
    ],
    ids=["anthropic", "vertex", "bedrock"],
)
@pytest.mark.parametrize("beta", [False, True])
def test_whose_service_it_is(spans: Spans, client: Any, provider: str, *, beta: bool) -> None:
    """The clients for other clouds are told apart; the model keeps the name it was asked for by."""
    made = client()
    messages = made.beta.messages if beta else made.messages
    with pytest.raises(Unsent):
        messages.create(model="eu.claude", max_tokens=1, messages=Refusing([USER]))
    found = spans.attributes("chat eu.claude")
    assert (found["gen_ai.provider.name"], found["gen_ai.request.model"]) == (provider, "eu.claude")


class Unsent(Exception):
    """Nothing is to be sent in this test."""


class Refusing(list[Any]):
    """Messages that can be read, and not be sent."""

    def __init__(self, messages: list[Any]) -> None:
        super().__init__(messages)
        self.read = False

    def __iter__(self) -> Any:
        if self.read:
            raise Unsent
        self.read = True
        return super().__iter__()


def test_counting_tokens_is_no_model_call(spans: Spans) -> None:
    """It asks nothing of a model."""
    client = Wire({"input_tokens": 3}).sync_client()
    assert client.messages.count_tokens(model="m", messages=[USER]).input_tokens == 3  # type: ignore[list-item]  # a dict
    assert spans.all == ()


MISUNDERSTOOD = {
    "null where a list was": message(content=None),
    "a block of no shape": message(content=["hello", 7]),
    "an unknown block": message({"type": "hologram", "data": "x"}),
    "a block without its text": message({"type": "text"}),
    "a count that is none": message("hi", usage={"input_tokens": "many", "output_tokens": 7}),
    "an id that is none": message("hi", id=7),
}
NOTHING_SAID = {
    "no usage": {name: value for name, value in message("hi").items() if name != "usage"},
    "null for the usage": message("hi", usage=None),
}


@pytest.mark.parametrize("body", MISUNDERSTOOD.values(), ids=MISUNDERSTOOD)
def test_a_malformed_answer(spans: Spans, body: Mapping[str, Any]) -> None:
    """The application gets it as it is, the span carries what is known, and what was not understood is counted."""
    assert misunderstood(lambda: ask(Wire(body)))
    assert spans.attributes(SPAN)["gen_ai.response.model"] == "claude-test-2026"
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("stop",)


@pytest.mark.parametrize("body", NOTHING_SAID.values(), ids=NOTHING_SAID)
def test_an_answer_without_usage(spans: Spans, body: Mapping[str, Any]) -> None:
    """No count is on the span, and nothing was misunderstood."""
    assert not misunderstood(lambda: ask(Wire(body)))
    assert [name for name in spans.attributes(SPAN) if name.startswith("gen_ai.usage")] == []


def misunderstood(ask: Callable[[], object]) -> int:
    """How much was counted as not understood, and that nothing else was lost."""
    before = drop_counts.totals()
    ask()
    counted = {what: n - before.get(what, 0) for what, n in drop_counts.totals().items() if n > before.get(what, 0)}
    assert counted.keys() <= {("content", "not_understood")}
    return sum(counted.values())


STREAM = events(["one ", "two"], tool_use("search", {"q": "x"}))
BROKEN_STREAMS: dict[str, list[dict[str, Any]]] = {
    "a delta before its block": [STREAM[0], *STREAM[2:]],
    "an unknown event": [*STREAM[:2], {"type": "weather", "sun": True}, *STREAM[2:]],
    "null for a text": [*STREAM[:3], {**STREAM[2], "delta": {"type": "text_delta", "text": None}}, *STREAM[3:]],
    "no index": [*STREAM[:2], {**STREAM[2], "index": None}, *STREAM[3:]],
}


@pytest.mark.parametrize("said", BROKEN_STREAMS.values(), ids=BROKEN_STREAMS)
def test_a_stream_that_is_out_of_order(content_spans: Spans, said: list[dict[str, Any]]) -> None:
    """What can be understood is on the span, what cannot is counted, and the application sees every event."""
    wire = Wire("".join(sse(said)))
    assert misunderstood(lambda: ask(wire, "stream"))
    assert output(content_spans) == [
        {"type": "text", "content": "one two"},
        {"type": "tool_call", "id": "toolu_search", "name": "search", "arguments": {"q": "x"}},
    ]
    met = ask(wire, "stream")
    uninstrument()
    assert met == ask(wire, "stream")


@pytest.mark.parametrize("way", ["beta", "stream"])
def test_tokens_of_a_compaction(spans: Spans, way: str) -> None:
    """Tokens of compactions are tokens of the call, which the service leaves out of its totals; floats are counts."""
    steps = [
        {"type": "compaction", "input_tokens": 100.0, "output_tokens": 50},
        {"type": "message", "input_tokens": 10, "output_tokens": 7},
    ]
    usage = {"input_tokens": 10.0, "output_tokens": 7, "iterations": steps}
    said = events(["Hi."])
    said[-2]["usage"] = usage
    wire = Wire("".join(sse(said))) if way == "stream" else Wire(message("Hi.", usage=usage))
    ask(wire, way)
    found = spans.attributes(SPAN)
    cached = 7 if way == "stream" else 0
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (110 + cached, 57)


def test_an_error_among_bytes(spans: Spans) -> None:
    """An error event in a stream that is read as bytes is how the call ended; the application reads every byte."""
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    body = "".join(sse([*events(["Hi."])[:3], error]))
    asked: dict[str, Any] = {"model": "claude-test", "max_tokens": 9, "messages": [USER], "stream": True}
    made = Wire(body).sync_client().messages.with_streaming_response.create(**asked)
    with made as answer:
        assert b"".join(answer.iter_bytes()).decode() == body
    assert spans.ending(SPAN) == "APIStatusError"


def test_a_delta_of_an_unknown_type(content_spans: Spans) -> None:
    """A delta that cannot be read is counted, and stands in the message as a part of its type."""
    odd = {**STREAM[2], "delta": {"type": "smell_delta", "smell": "?"}}
    wire = Wire("".join(sse([*STREAM[:3], odd, *STREAM[3:]])))
    assert misunderstood(lambda: ask(wire, "stream")) == 1
    assert output(content_spans)[-1] == {"type": "smell_delta"}


def test_a_stream_without_its_last_events(content_spans: Spans) -> None:
    """Counts and reasons that never came are absent, not nought."""
    ask(Wire("".join(sse(events(["one"], stop_reason=None)))), "stream")
    found = content_spans.attributes(SPAN)
    assert output(content_spans) == [{"type": "text", "content": "one"}]
    assert found["gen_ai.usage.input_tokens"] == 17
    assert "gen_ai.usage.output_tokens" not in found
    assert "gen_ai.response.finish_reasons" not in found


def test_an_application_that_adds_up_the_events_itself(content_spans: Spans) -> None:
    """What it does to the objects it was given changes nothing of what is recorded."""
    with Wire("".join(sse(events(["one ", "two"])))).sync_client() as client:
        asked: dict[str, Any] = {"model": "claude-test", "max_tokens": 1, "messages": [USER]}
        block: Any = None
        for event in client.messages.create(**asked, stream=True):
            if event.type == "content_block_start":
                block = event.content_block
            elif event.type == "content_block_delta":
                block.text += event.delta.text
    assert block.text == "one two"
    assert output(content_spans) == [{"type": "text", "content": "one two"}]


@pytest.mark.parametrize("raw", [False, True])
def test_an_answer_that_is_no_message(*, raw: bool) -> None:
    """Its text is read, where it is handed over as it stands; a raw response is what could not be assessed."""
    page = httpx2.MockTransport(lambda _: httpx2.Response(200, html="<p>Sign in</p>"))
    client = Anthropic(api_key="k", http_client=httpx2.Client(transport=page))
    messages: Any = client.messages.with_raw_response if raw else client.messages
    rule = policy(bound("quiet", pattern("Sign in"), action=Action.BLOCK))
    with recorded(rule) as record:
        if raw:
            assert messages.create(model="m", max_tokens=1, messages=[USER]).http_response.text == "<p>Sign in</p>"
        else:
            with pytest.raises(Blocked):
                messages.create(model="m", max_tokens=1, messages=[USER])
    (span,) = record.spans
    assert (span.attributes or {})["specspan.decision.verdict"] == ("unassessed" if raw else "violated")
