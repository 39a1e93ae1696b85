"""OpenAI chat completions through the real client: what its spans say, whichever way it is called."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from typing import Any

import openai
import pytest
from ended_spans import Spans
from openai import NOT_GIVEN, AsyncStream, AzureOpenAI, OpenAI, Stream, omit
from openai_wire import Ask, Wire, chunk, chunks, completion, sse, usage
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind
from pydantic import BaseModel

from specspan.call import (
    Media,
    Message,
    ModelCall,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolCallResponse,
    Unknown,
)
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats.openai_chat import read_message
from specspan.instrument.gate import activate
from specspan.instrument.providers import openai as provider
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")


class Weather(BaseModel):
    city: str


def test_a_plain_call(ask: Ask, spans: Spans) -> None:
    """One CLIENT span says what was asked for and what came back."""
    answer = ask(Wire(completion()), temperature=0.5, messages=[{"role": "user", "content": "hi"}])
    assert answer.choices[0].message.content == "hello"
    (span,) = spans.all
    assert (span.name, span.kind) == ("chat gpt-test", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-test",
        "gen_ai.request.temperature": 0.5,
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-test-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }


def test_a_streamed_call(ask: Ask, spans: Spans) -> None:
    """A stream's span says the same as a plain one's, and when its first chunk came."""
    read = ask(Wire(sse(chunks("hel", "lo"))), stream=True)
    assert "".join(each.choices[0].delta.content or "" for each in read if each.choices) == "hello"
    attributes = spans.attributes("chat gpt-test")
    assert attributes["gen_ai.request.stream"] is True
    assert 0 < attributes["gen_ai.response.time_to_first_chunk"] < 60
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.usage.output_tokens"] == 5
    assert spans.ending("chat gpt-test") == "completed"


@pytest.mark.parametrize(
    ("given", "recorded_as"),
    [
        ({"top_p": 0.9, "seed": 7}, {"top_p": 0.9, "seed": 7}),
        ({"max_tokens": 9}, {"max_tokens": 9}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        (
            {"frequency_penalty": 1, "presence_penalty": -1.5},
            {"frequency_penalty": 1, "presence_penalty": -1.5},
        ),
        ({"stop": "END"}, {"stop_sequences": ("END",)}),
        ({"stop": ["a", "b"]}, {"stop_sequences": ("a", "b")}),
        ({"n": 1}, {}),
        ({"n": 2}, {"choice.count": 2}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"temperature": NOT_GIVEN, "stop": omit, "n": None, "tools": omit, "stream": omit}, {}),
    ],
)
def test_request_parameters(ask: Ask, spans: Spans, given: Mapping[str, Any], recorded_as: Mapping[str, Any]) -> None:
    """Parameters are recorded by the conventions' names, those left out are not."""
    ask(Wire(completion()), **given)
    prefix = "gen_ai.request."
    said = {
        name.removeprefix(prefix): value
        for name, value in spans.attributes("chat gpt-test").items()
        if name.startswith(prefix)
    }
    assert said == {"model": "gpt-test", **recorded_as}


@pytest.mark.parametrize(
    ("response_format", "output_type"),
    [({"type": "text"}, "text"), ({"type": "json_object"}, "json"), (omit, None), (NOT_GIVEN, None)],
)
def test_output_type(ask: Ask, spans: Spans, response_format: Any, output_type: str | None) -> None:
    """The kind of output that was asked for is recorded."""
    ask(Wire(completion()), response_format=response_format)
    assert spans.attributes("chat gpt-test").get("gen_ai.output.type") == output_type


def test_the_server_is_the_clients(ask: Ask, spans: Spans) -> None:
    """Address and port are those of the client's base URL."""
    ask(Wire(completion(), base_url="http://127.0.0.1:8080/v1"))
    attributes = spans.attributes("chat gpt-test")
    assert (attributes["server.address"], attributes["server.port"]) == ("127.0.0.1", 8080)


def test_azure_is_told_apart(spans: Spans) -> None:
    """The same client talking to Azure names Azure as the provider."""
    http = Wire(completion()).sync_client()._client
    client = AzureOpenAI(api_key="k", azure_endpoint="https://x.openai.azure.com", api_version="1", http_client=http)
    client.chat.completions.create(model="gpt-test", messages=[{"role": "user", "content": "hi"}])
    attributes = spans.attributes("chat gpt-test")
    assert attributes["gen_ai.provider.name"] == "azure.ai.openai"
    assert attributes["server.address"] == "x.openai.azure.com"


def test_azure_is_told_by_its_host(ask: Ask, spans: Spans) -> None:
    """Azure is also reached through the client for OpenAI itself."""
    ask(Wire(completion(), base_url="https://x.openai.azure.com/openai/v1"))
    assert spans.attributes("chat gpt-test")["gen_ai.provider.name"] == "azure.ai.openai"


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_errors_of_the_service(ask: Ask, spans: Spans, status: int) -> None:
    """An error is the client's own, and the span names its class."""
    with pytest.raises(openai.APIStatusError) as caught:
        ask(Wire({"error": {"message": "no"}}, status))
    assert spans.ending("chat gpt-test") == type(caught.value).__qualname__
    assert "gen_ai.response.id" not in spans.attributes("chat gpt-test")


def test_wrong_arguments(ask: Ask, spans: Spans) -> None:
    """What the client refuses, it refuses; the span failed with it."""
    with pytest.raises(TypeError, match="unexpected keyword"):
        ask(Wire(completion()), colour="red")
    assert spans.ending("chat gpt-test") == "TypeError"


def test_messages_that_can_be_read_only_once(ask: Ask, spans: Spans) -> None:
    """Messages and tools given as iterators still reach the service."""
    wire = Wire(completion())
    message = {"role": "user", "content": "hi"}
    tool = {"type": "function", "function": {"name": "f"}}
    ask(wire, messages=(each for each in [message]), tools=iter([tool]))
    assert (wire.requests[0]["messages"], wire.requests[0]["tools"]) == ([message], [tool])


def test_a_raw_response(ask: Ask, spans: Spans) -> None:
    """A raw response says as much, and is still the application's to parse."""
    assert ask(Wire(completion()), raw=True).id == "chatcmpl-1"
    assert spans.attributes("chat gpt-test")["gen_ai.usage.input_tokens"] == 12


def test_a_raw_response_is_the_same_object_with_its_body(spans: Spans) -> None:
    """Raw means raw: headers, text and status are there, and parsing gives one object."""
    with Wire(completion()).sync_client() as client:
        raw = client.chat.completions.with_raw_response.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert type(raw).__name__ == "LegacyAPIResponse"
    assert raw.parse() is raw.parse()
    assert '"chatcmpl-1"' in raw.text
    assert raw.headers["content-type"] == "application/json"


def test_a_raw_streamed_response(ask: Ask, spans: Spans) -> None:
    """The stream inside a raw response is watched like any other."""
    read = ask(Wire(sse(chunks("hel", "lo"))), raw=True, stream=True)
    assert len(read) == 5
    assert spans.attributes("chat gpt-test")["gen_ai.response.finish_reasons"] == ("stop",)


def test_parse_is_one_span(spans: Spans) -> None:
    """The helper that parses answers is one call."""
    with Wire(completion('{"city": "Oslo"}')).sync_client() as client:
        answer = client.chat.completions.parse(
            model="gpt-test", messages=[{"role": "user", "content": "where"}], response_format=Weather
        )
    assert answer.choices[0].message.parsed == Weather(city="Oslo")
    assert spans.attributes("chat gpt-test")["gen_ai.output.type"] == "json"


@pytest.mark.parametrize("early", [False, True])
def test_the_stream_helper_is_one_span(spans: Spans, *, early: bool) -> None:
    """The helper that streams events is one call; leaving it early closes the call there and then."""
    with Wire(sse(chunks("hel", "lo"))).sync_client() as client:
        with client.chat.completions.stream(model="gpt-test", messages=[{"role": "user", "content": "hi"}]) as stream:
            for event in stream:
                if early and event.type == "content.delta":
                    break
        assert spans.ending("chat gpt-test") == ("closed" if early else "completed")
    assert isinstance(stream, openai.lib.streaming.chat.ChatCompletionStream)


def test_the_async_stream_helper_is_one_span(spans: Spans) -> None:
    """The same of the async client."""

    async def main() -> None:
        async with Wire(sse(chunks("hel", "lo"))).async_client() as client:
            async with client.chat.completions.stream(
                model="gpt-test", messages=[{"role": "user", "content": "hi"}]
            ) as stream:
                async for event in stream:
                    if event.type == "content.delta":
                        break
            assert spans.ending("chat gpt-test") == "closed"

    asyncio.run(main())


def test_a_stream_is_still_the_clients_stream(spans: Spans) -> None:
    """Streams are what they were to isinstance, and hand through every attribute."""
    with Wire(sse(chunks("hello"))).sync_client() as client:
        stream = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        assert isinstance(stream, Stream)
        assert stream.response.status_code == 200
        assert not hasattr(stream, "__anext__")
        assert len(list(stream)) == 4

    async def main() -> None:
        async with Wire(sse(chunks("hello"))).async_client() as client:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
            assert isinstance(stream, AsyncStream)
            assert not hasattr(stream, "__iter__")
            assert [each.id async for each in stream] == ["chatcmpl-1"] * 4

    asyncio.run(main())


def test_suppressed_calls_are_left_alone(ask: Ask, spans: Spans) -> None:
    """Where instrumentation is suppressed, by either key in use, there is no span."""
    for key in (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation"):
        token = otel_context.attach(otel_context.set_value(key, True))
        ask(Wire(completion()))
        otel_context.detach(token)
    assert spans.all == ()


def test_calls_within_a_call_are_part_of_it(ask: Ask, spans: Spans) -> None:
    """What the client calls of its own on the way to the service is no call of the application's."""
    inner = Wire(completion())
    client = inner.sync_client()
    outer = Wire(
        completion(),
        during=lambda: client.chat.completions.create(model="inner", messages=[{"role": "user", "content": "hi"}]),
    )
    ask(outer)
    ask(inner)
    assert (len(inner.requests), spans.names) == (2, ["chat gpt-test"] * 2)


def test_calls_during_the_call_are_below_it(ask: Ask, spans: Spans) -> None:
    """What is traced on the way to the service is below the call's span, and what follows is not."""
    ask(Wire(completion(), during=lambda: spans.tracer.start_span("http").end()))
    spans.tracer.start_span("after").end()
    assert (spans.parent_of("http"), spans.parent_of("after")) == ("chat gpt-test", None)


def test_without_a_pipeline_nothing_happens(ask: Ask, spans: Spans) -> None:
    """Until `configure` the client is as it was."""
    activate(None)
    assert ask(Wire(completion())).id == "chatcmpl-1"
    assert type(ask(Wire(sse(chunks("a"))), stream=True)[0]).__name__ == "ChatCompletionChunk"
    assert spans.all == ()


def calls_of(ask: Ask, wire: Wire, monkeypatch: pytest.MonkeyPatch, **parameters: Any) -> ModelCall:
    """The call as the recorder gets it."""
    seen: list[ModelCall] = []
    with recorded() as _:
        monkeypatch.setattr(
            "specspan.record.recorder.Recorder.end_call", lambda self, span, call, *rest: seen.append(call)
        )
        ask(wire, **parameters)
    (call,) = seen
    return call


def test_every_kind_of_message_is_read(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Roles, content parts, tool calls and their answers are read from dicts and from the client's own objects."""
    data = "data:image/png;base64," + base64.b64encode(b"png").decode()
    answered = OpenAI.__module__  # any text
    messages: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "image_url", "image_url": {"url": data}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"type": "hologram", "hologram": {}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": "No.",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}},
                {"id": "c2", "type": "function", "function": {"name": "look", "arguments": '{"at": '}},
                {"id": "c3", "type": "custom", "custom": {"name": "run", "input": "ls"}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "A cat."},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": answered}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "Never."}]},
        {"role": "assistant", "content": "", "function_call": {"name": "old", "arguments": "{}"}},
    ]
    assert tuple(map(read_message, messages)) == (
        Message("developer", (Text("Be brief."),)),
        Message(
            "user",
            (
                Text("What is this?"),
                Media("image", "https://example.com/a.png"),
                Media("image", None, "image/png"),
                Media("audio"),
                Media("file", "file-1"),
                Unknown("hologram"),
            ),
            "ann",
        ),
        Message(
            "assistant",
            (
                Refusal("No."),
                ToolCall("look", {"at": 1}, "c1"),
                ToolCall("look", '{"at": ', "c2"),
                ToolCall("run", "ls", "c3"),
            ),
        ),
        Message("tool", (ToolCallResponse("A cat.", "c1"),)),
        Message("tool", (ToolCallResponse(answered, "c2"),)),
        Message("assistant", (Refusal("Never."),)),
        Message("assistant", (ToolCall("old", {}),)),
    )
    before = ask(Wire(completion("One.", tools=[("look", "{}")]))).choices[0].message
    call = calls_of(ask, Wire(completion()), monkeypatch, messages=[before])
    assert call.input == (Message("assistant", (Text("One."), ToolCall("look", {}, "call_look"))),)


PIECES = [
    chunk({"content": "Second."}, index=1),
    chunk({"role": "assistant", "content": "", "reasoning_content": "hmm"}),
    chunk({"content": "Let me "}),
    chunk({"content": "look."}),
    chunk({"refusal": "But "}),
    chunk({"refusal": "no."}),
    chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": ""}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"at"'}}]}),
    chunk({"tool_calls": [{"index": 1, "id": "b", "function": {"name": "run", "arguments": "{}"}}]}),
    chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
    chunk({}, "stop", index=1),
    chunk({}, "tool_calls"),
    {**chunk(), "choices": [], "usage": usage()},
]


def test_streamed_and_plain_answers_read_the_same(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of several choices, refusals, reasoning and tool calls come to what the plain answer says."""
    streamed = calls_of(ask, Wire(sse(PIECES)), monkeypatch, stream=True, n=2)
    first = {
        "role": "assistant",
        "content": "Let me look.",
        "refusal": "But no.",
        "reasoning_content": "hmm",
        "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}},
            {"id": "b", "type": "function", "function": {"name": "run", "arguments": "{}"}},
        ],
    }
    choices = [
        {"index": 0, "message": first, "finish_reason": "tool_calls"},
        {"index": 1, "message": {"role": "assistant", "content": "Second."}, "finish_reason": "stop"},
    ]
    plain = calls_of(ask, Wire(completion(choices=choices)), monkeypatch, n=2)
    assert streamed.response == plain.response
    assert streamed.output[0].parts == (
        Reasoning("hmm"),
        Text("Let me look."),
        Refusal("But no."),
        ToolCall("look", {"at": 1}, "a"),
        ToolCall("run", {}, "b"),
    )


def test_chunks_of_a_filter_in_front_of_the_model(ask: Ask, spans: Spans) -> None:
    """Azure sends chunks without id, without choices, and choices without a delta."""
    odd = [{**chunk(), "id": "", "model": "", "choices": []}, {**chunk(), "choices": [{"index": 0, "delta": None}]}]
    ask(Wire(sse([*odd, *chunks("hello"), {**chunk(), "id": "", "choices": []}])), stream=True)
    assert spans.attributes("chat gpt-test")["gen_ai.response.id"] == "chatcmpl-1"


def test_the_adapter_changes_nothing_it_is_given() -> None:
    """Edits are written into copies, at every place a text can stand."""
    adapter = provider.ADAPTERS[0]
    messages: list[Any] = [
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "image_url", "image_url": {}}, {"type": "text", "text": "b"}]},
        {"role": "tool", "tool_call_id": "c", "content": "d"},
        {"role": "assistant", "content": "e", "refusal": "f"},
    ]
    before = repr(messages)
    edits = {
        "/input/0/parts/0": "A",
        "/input/1/parts/1": "B",
        "/input/2/parts/0": "D",
        "/input/3/parts/0": "E",
        "/input/3/parts/1": "F",
    }
    edited = adapter.edit_request(Invocation(None, (), {"model": "m", "messages": messages}), edits)
    assert repr(messages) == before
    assert edited.kwargs["model"] == "m"
    assert [read_message(message).parts for message in edited.kwargs["messages"]] == [
        (Text("A"),),
        (Media("image"), Text("B")),
        (ToolCallResponse("D", "c"),),
        (Text("E"), Refusal("F")),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"choices": None, "usage": None},
        {"choices": [{"index": 0, "message": None, "finish_reason": None}]},
        {"choices": [{"index": 0, "message": {"content": [{"type": "hologram"}, 7], "tool_calls": 7}}]},
        {"model": 7, "usage": {"prompt_tokens": "many", "prompt_tokens_details": None}},
    ],
)
def test_malformed_answers(ask: Ask, spans: Spans, changes: Mapping[str, Any]) -> None:
    """What is known of an answer is on the span; the application gets what it would have got."""
    assert ask(Wire(completion(**changes))).id == "chatcmpl-1"
    assert spans.attributes("chat gpt-test")["gen_ai.response.id"] == "chatcmpl-1"
    assert spans.ending("chat gpt-test") == "completed"


def test_malformed_chunks(ask: Ask, spans: Spans) -> None:
    """Null where a list was does not hide what the other chunks say."""
    read = ask(Wire(sse([{**chunk(), "choices": None}, *chunks("hello")])), stream=True)
    assert len(read) == 5
    assert spans.attributes("chat gpt-test")["gen_ai.response.finish_reasons"] == ("stop",)
