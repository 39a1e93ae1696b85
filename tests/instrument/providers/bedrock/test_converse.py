"""Amazon Bedrock's Converse, plain and streamed: what is read of it, and that the application sees no difference."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from bedrock_wire import Wire, answered, called, client, conversation, events, frame
from botocore.client import BaseClient
from botocore.eventstream import EventStream
from botocore.exceptions import EventStreamError
from botocore.model import OperationNotFoundError
from ended_spans import Spans

import specspan
from specspan._support import drop_counts

pytestmark = pytest.mark.usefixtures("bedrock_instrumented")

HI = [{"role": "user", "content": [{"text": "hi"}]}]
SPAN = "chat nova"


def ask(body: Any, **asked: Any) -> Any:
    return client(Wire(body)).converse(modelId="nova", **{"messages": HI, **asked})


def stream(*said: dict[str, Any], tail: bytes = b"", **asked: Any) -> Any:
    wire = Wire(b"".join(events(*said)) + tail)
    return client(wire).converse_stream(modelId="nova", **{"messages": HI, **asked})["stream"]


def said(spans: Spans, side: str) -> Any:
    return json.loads(spans.attributes(SPAN)[f"gen_ai.{side}"])


def parts(spans: Spans, side: str) -> list[Any]:
    return [part for message in said(spans, f"{side}.messages") for part in message["parts"]]


def counted() -> int:
    return drop_counts.totals().get(("content", "not_understood"), 0)


def test_a_call_says_what_was_asked(content_spans: Spans) -> None:
    """Model, parameters, system instructions, tools and where it was sent."""
    tools = [{"toolSpec": {"name": "search", "inputSchema": {"json": {"type": "object"}}}}]
    ask(
        answered("hello"),
        system=[{"text": "Be kind."}, {"cachePoint": {"type": "default"}}],
        inferenceConfig={"maxTokens": 9, "temperature": 0.5, "topP": 0.9, "stopSequences": ["END"]},
        additionalModelRequestFields={"top_k": 4},
        toolConfig={"tools": tools},
    )
    found = content_spans.attributes(SPAN)
    assert {name: found[f"gen_ai.request.{name}"] for name in ("max_tokens", "temperature", "top_p", "top_k")} == {
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 4,
    }
    assert found["gen_ai.request.stop_sequences"] == ("END",)
    assert (found["server.address"], found["server.port"]) == ("bedrock-runtime.us-east-1.amazonaws.com", 443)
    assert said(content_spans, "system_instructions") == [{"type": "text", "content": "Be kind."}]
    assert said(content_spans, "tool.definitions") == tools


@pytest.mark.parametrize(
    ("block", "read"),
    [
        ({"text": "hi"}, [{"type": "text", "content": "hi"}]),
        (
            {"image": {"format": "png", "source": {"bytes": b"..."}}},
            [{"type": "uri", "modality": "image", "mime_type": "image/png"}],
        ),
        (
            {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/v.mp4"}}}},
            [{"type": "uri", "modality": "video", "mime_type": "video/mp4", "uri": "s3://b/v.mp4"}],
        ),
        (
            {"document": {"format": "pdf", "name": "a", "source": {"bytes": b"..."}}},
            [{"type": "uri", "modality": "file"}, {"type": "tool_call_response", "response": "a"}],
        ),
        (
            {"document": {"name": "a", "source": {"text": "So."}}},
            [{"type": "text", "content": "So."}, {"type": "tool_call_response", "response": "a"}],
        ),
        (
            {"document": {"name": "a", "source": {"content": [{"text": "So."}, {"text": "And."}]}}},
            [
                {"type": "text", "content": "So."},
                {"type": "text", "content": "And."},
                {"type": "tool_call_response", "response": "a"},
            ],
        ),
        (
            {"toolUse": {"toolUseId": "t", "name": "search", "input": {"q": "x"}}},
            [{"type": "tool_call", "id": "t", "name": "search", "arguments": {"q": "x"}}],
        ),
        (
            {"toolResult": {"toolUseId": "t", "content": [{"json": {"n": 1}}, {"text": "one"}]}},
            [
                {"type": "tool_call_response", "id": "t", "response": {"n": 1}},
                {"type": "tool_call_response", "id": "t", "response": "one"},
            ],
        ),
        (
            {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}},
            [{"type": "reasoning", "content": "Hm."}],
        ),
        ({"reasoningContent": {"redactedContent": b"x"}}, [{"type": "reasoning", "content": ""}]),
        ({"guardContent": {"text": {"text": "Watch."}}}, [{"type": "text", "content": "Watch."}]),
        ({"citationsContent": {"content": [{"text": "So."}]}}, [{"type": "text", "content": "So."}]),
        (
            {"searchResult": {"source": "u", "title": "t", "content": [{"text": "Found."}]}},
            [{"type": "tool_call_response", "response": "Found."}, {"type": "tool_call_response", "response": "t"}],
        ),
        ({"cachePoint": {"type": "default"}}, []),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_every_kind_of_block(block: dict[str, Any], read: list[Any], content_spans: Spans) -> None:
    """Is read as what it is; media by reference."""
    before = counted()
    ask(answered("ok"), messages=[{"role": "user", "content": [block]}])
    assert parts(content_spans, "input") == read
    assert counted() == before


def test_a_block_of_an_unknown_kind(content_spans: Spans) -> None:
    """Is named, counted, and handed over."""
    before = counted()
    answer = ask(answered("ok", {"hologram": {"depth": 3}}))
    assert "SDK_UNKNOWN_MEMBER" in answer["output"]["message"]["content"][1]
    assert parts(content_spans, "output") == [{"type": "text", "content": "ok"}, {"type": "hologram"}]
    assert counted() == before + 1


def test_cached_tokens_are_input_tokens(spans: Spans) -> None:
    """The service leaves them out of its count; the conventions do not."""
    usage = {"inputTokens": 3, "outputTokens": 7, "cacheReadInputTokens": 20, "cacheWriteInputTokens": 100}
    ask(answered("ok", usage={**usage, "totalTokens": 130}))
    found = {name[13:]: value for name, value in spans.attributes(SPAN).items() if name.startswith("gen_ai.usage.")}
    assert found == {
        "input_tokens": 123,
        "output_tokens": 7,
        "cache_read.input_tokens": 20,
        "cache_write.input_tokens": 100,
    }


def test_the_model_a_router_chose(spans: Spans) -> None:
    """Is the model that answered."""
    ask(answered("ok", trace={"promptRouter": {"invokedModelId": "arn:nova-lite"}}))
    assert spans.attributes(SPAN)["gen_ai.response.model"] == "arn:nova-lite"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"output": None, "usage": None, "stopReason": None},
        {"output": {"message": {}}},
        {"output": {"message": {"role": None, "content": None}}, "usage": {}},
    ],
)
def test_an_answer_that_lacks_something(body: Any, spans: Spans) -> None:
    """Is handed over as the client read it; absent counts stay absent."""
    specspan.uninstrument()
    expected = ask(body)
    specspan.instrument("bedrock")
    assert ask(body) == expected
    assert "gen_ai.usage.input_tokens" not in spans.attributes(SPAN)
    assert "gen_ai.response.finish_reasons" not in spans.attributes(SPAN)


TALK: list[dict[str, Any]] = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "Hm"}}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"text": "."}}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"reasoningContent": {"signature": "s"}}}},
    {"contentBlockStop": {"contentBlockIndex": 0}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "Wa"}}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "it."}}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"citation": {"title": "T"}}}},
    {"contentBlockStop": {"contentBlockIndex": 1}},
    *called("search", "", '{"q":', '"x"}', index=2),
    {"messageStop": {"stopReason": "tool_use"}},
    {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 7, "totalTokens": 10}}},
]


def test_a_stream_is_read_as_its_answer_would_be(content_spans: Spans) -> None:
    """Reasoning, text and tool calls, put together from their pieces."""
    before = counted()
    read = stream(*TALK)
    assert isinstance(read, EventStream)
    list(read)
    assert parts(content_spans, "output") == [
        {"type": "reasoning", "content": "Hm."},
        {"type": "text", "content": "Wait."},
        {"type": "tool_call", "id": "t1", "name": "search", "arguments": {"q": "x"}},
        {"type": "tool_call_response", "response": "T"},
    ]
    found = content_spans.attributes(SPAN)
    assert found["gen_ai.response.finish_reasons"] == ("tool_calls",)
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (3, 7)
    assert counted() == before


def test_events_are_never_written_into(spans: Spans) -> None:
    """Each is what the client made of the wire when it is handed over, and still is after the last one."""
    specspan.uninstrument()
    expected = list(stream(*TALK))
    specspan.instrument("bedrock")
    kept: list[Any] = []
    for event in stream(*TALK):
        assert event == expected[len(kept)]
        kept.append(event)
    assert spans.ending(SPAN) == "completed"
    assert kept == expected


def test_events_are_the_clients_objects(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """The very ones."""
    made: list[Any] = []
    parse = EventStream._parse_event

    def parsed(self: Any, event: Any) -> Any:
        made.append(parse(self, event))
        return made[-1]

    monkeypatch.setattr(EventStream, "_parse_event", parsed)
    read = list(stream(*TALK))
    assert all(event is its for event, its in zip(read, made, strict=True))


@pytest.mark.parametrize("damage", ["no_index", "no_start", "no_stop", "late", "unknown", "null"])
def test_a_damaged_stream(damage: str, content_spans: Spans) -> None:
    """Says what is known of it; what was not understood is counted; the application reads all of it."""
    talk: list[Any] = copy.deepcopy(conversation(["one ", "two"]))
    if damage == "no_index":
        del talk[2]["contentBlockDelta"]["contentBlockIndex"]
    elif damage == "no_start":
        talk[1:1] = list(called("search", "{}"))[1:]
    elif damage == "no_stop":
        del talk[3:]
    elif damage == "late":
        talk.append(talk.pop(2))
    elif damage == "unknown":
        talk.insert(1, {"contentBlockDelta": {"contentBlockIndex": 5, "delta": {"hologram": {"depth": 3}}}})
    else:
        talk.insert(1, {"contentBlockDelta": {"contentBlockIndex": 5, "delta": None}})
    specspan.uninstrument()
    expected = list(stream(*talk))
    specspan.instrument("bedrock")
    before = counted()
    assert list(stream(*talk)) == expected
    assert "one two" in "".join(part.get("content", "") for part in parts(content_spans, "output"))
    assert (counted() > before) == (damage in ("no_index", "no_start", "unknown"))


def test_an_error_in_a_stream(spans: Spans) -> None:
    """Is raised as the client raises it, and is how the call ended."""
    broken = frame("throttlingException", {"message": "slow down"}, kind="exception")
    with pytest.raises(EventStreamError, match="slow down"):
        list(stream(*TALK[:6], tail=broken))
    assert spans.ending(SPAN) == "EventStreamError"


def test_an_error_in_place_of_an_answer(spans: Spans) -> None:
    """Is the client's own, and names the call's ending."""
    found = client(Wire({"message": "no"}, {"x-amzn-errortype": "ThrottlingException:http://x"}, 429))
    with pytest.raises(found.exceptions.ThrottlingException):
        found.converse(modelId="nova", messages=HI)
    assert spans.ending(SPAN) == "ThrottlingException"


def test_what_is_refused_before_it_is_sent(spans: Spans) -> None:
    """A call that the client does not make ends with the client's error."""
    with pytest.raises(Exception, match="Parameter validation failed"):
        ask(answered("ok"), messages="hi")
    assert spans.ending(SPAN) == "ParamValidationError"


@pytest.mark.parametrize(
    ("service", "operation", "asked", "body"),
    [
        (
            "bedrock-runtime",
            "count_tokens",
            {"modelId": "m", "input": {"converse": {"messages": HI}}},
            {"inputTokens": 3},
        ),
        ("bedrock", "list_foundation_models", {}, {"modelSummaries": []}),
        ("lambda", "invoke", {"FunctionName": "f", "Payload": b"{}"}, {"answer": 42}),
    ],
)
def test_other_operations_and_services_are_left_alone(
    service: str, operation: str, asked: dict[str, Any], body: Any, spans: Spans
) -> None:
    """No span, and no look at their answers."""
    wire = Wire(body)
    answer = getattr(client(wire, service), operation)(**asked)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
    if "Payload" in answer:
        assert wire.source.tell() == 0
    assert spans.all == ()


def test_an_operation_of_the_same_name_is_left_alone(spans: Spans) -> None:
    """It is another service's."""
    with pytest.raises(OperationNotFoundError):
        client(Wire({}), "lambda")._make_api_call("Converse", {"modelId": "m", "messages": HI})
    assert spans.all == ()


def test_uninstrument_puts_the_method_back() -> None:
    """The very function that every client's methods call."""
    specspan.uninstrument()
    before = vars(BaseClient)["_make_api_call"]
    specspan.instrument("bedrock")
    assert vars(BaseClient)["_make_api_call"] is not before
    specspan.uninstrument()
    assert vars(BaseClient)["_make_api_call"] is before
