"""OpenAI's Responses API through the real client: what its spans say, whichever way it is called."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from ended_spans import Spans
from openai.types.responses import Response as Answered
from openai_responses import OUTPUT, Respond, rule
from openai_wire import Wire, response, response_events, sse, typed_sse
from opentelemetry.trace import SpanKind
from pydantic import BaseModel

from specspan._support import drop_counts
from specspan.decision import Action
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SPAN = "chat gpt-test"
SECRET = "123-45-6789"


def parts_of(spans: Spans, side: str) -> list[Any]:
    messages = json.loads(str(spans.attributes(SPAN)[f"gen_ai.{side}.messages"]))
    return [(message["role"], *message["parts"]) for message in messages]


def test_a_plain_response(respond: Respond, spans: Spans) -> None:
    """One CLIENT span says what was asked for and what came back."""
    answer = respond(
        Wire(response("hello")),
        instructions="Be kind.",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=50,
        conversation={"id": "conv_1"},
        text={"format": {"type": "text"}},
    )
    assert answer.output_text == "hello"
    (span,) = spans.all
    assert (span.name, span.kind) == (SPAN, SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-test",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.top_p": 0.9,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.conversation.id": "conv_1",
        "gen_ai.output.type": "text",
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-test-2026",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 3,
        "gen_ai.usage.reasoning.output_tokens": 2,
    }


def test_a_streamed_response(respond: Respond, spans: Spans) -> None:
    """A stream's span says the same as a plain one's, and when its first event came."""
    read = respond(Wire(typed_sse(response_events("hel", "lo"))), stream=True)
    assert [each.type for each in read][-1] == "response.completed"
    attributes = spans.attributes(SPAN)
    assert attributes["gen_ai.request.stream"] is True
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.usage.output_tokens"] == 5


INPUT: list[Any] = [
    {"role": "developer", "content": "Be brief."},
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": "https://example.com/a.png"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            {"type": "input_file", "file_id": "file-1"},
            {"type": "input_hologram"},
        ],
    },
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hmm"}], "encrypted_content": "x"},
    {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": 1}'},
    {"type": "function_call_output", "call_id": "c1", "output": "A cat."},
    {
        "type": "custom_tool_call_output",
        "call_id": "c2",
        "output": [{"type": "input_text", "text": "ls"}, {"type": "input_image", "file_id": "file-2"}],
    },
    {"type": "item_reference", "id": "msg_9"},
]


def test_every_kind_of_item_that_is_asked(respond: Respond, content_spans: Spans) -> None:
    """Messages, media by reference, reasoning, calls and their answers; what is not understood is counted."""
    before = drop_counts.totals().get(("content", "not_understood"), 0)
    respond(Wire(response("ok")), input=iter(INPUT), instructions="Be kind.")
    assert parts_of(content_spans, "input") == [
        ("developer", {"type": "text", "content": "Be brief."}),
        (
            "user",
            {"type": "text", "content": "What is this?"},
            {"type": "uri", "modality": "image", "uri": "https://example.com/a.png"},
            {"type": "uri", "modality": "image", "mime_type": "image/png"},
            {"type": "uri", "modality": "file", "uri": "file-1"},
            {"type": "input_hologram"},
        ),
        ("assistant", {"type": "reasoning", "content": "hmm"}),
        ("assistant", {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}}),
        ("tool", {"type": "tool_call_response", "id": "c1", "response": "A cat."}),
        (
            "tool",
            {"type": "tool_call_response", "id": "c2", "response": "ls"},
            {"type": "uri", "modality": "image", "uri": "file-2"},
        ),
        ("assistant", {"type": "item_reference"}),
    ]
    assert "Be kind." in str(content_spans.attributes(SPAN)["gen_ai.system_instructions"])
    assert drop_counts.totals()["content", "not_understood"] - before == 2


SAID: list[tuple[Any, ...]] = [
    (
        "assistant",
        {"type": "reasoning", "content": "hmm"},
        {
            "type": "tool_call",
            "id": "ws_1",
            "name": "web_search",
            "arguments": {"type": "search", "query": "cats"},
        },
        {"type": "tool_call", "id": "mcp_1", "name": "fetch", "arguments": {"url": "u"}},
        {"type": "tool_call_response", "id": "mcp_1", "response": "A page."},
        {"type": "tool_call", "id": "ig_1", "name": "image_generation"},
        {"type": "uri", "modality": "image", "mime_type": "image/webp"},
        {"type": "text", "content": "Here."},
        {"type": "refusal", "content": "But no."},
        {"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": 1}},
    )
]


def test_every_kind_of_item_that_is_answered(respond: Respond, content_spans: Spans) -> None:
    """They are the parts of one message; an image is there by kind, without its bytes."""
    respond(Wire(response(output=OUTPUT)))
    assert parts_of(content_spans, "output") == SAID
    assert content_spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("tool_calls",)
    assert "QUFB" not in repr(content_spans.attributes(SPAN))


@pytest.mark.parametrize("whole", [True, False], ids=["items", "pieces"])
def test_a_truncated_stream_says_what_came(respond: Respond, content_spans: Spans, *, whole: bool) -> None:
    """Without its last event, a stream is known by the items that were whole, or by their pieces."""
    added = [{**each, "summary": [], "content": [], "arguments": "", "output": None, "result": None} for each in OUTPUT]
    events: list[dict[str, Any]] = [{"type": "response.created", "response": response(output=(), status="in_progress")}]
    events += [{"type": "response.output_item.added", "output_index": i, "item": item} for i, item in enumerate(added)]
    if whole:
        events += [
            {"type": "response.output_item.done", "output_index": i, "item": item} for i, item in enumerate(OUTPUT)
        ]
    else:
        events += [
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "h"},
            {"type": "response.output_text.delta", "output_index": 4, "content_index": 0, "delta": "Here."},
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "mm"},
            {"type": "response.refusal.delta", "output_index": 4, "content_index": 1, "delta": "But no."},
            {"type": "response.function_call_arguments.delta", "output_index": 5, "delta": '{"at"'},
            {"type": "response.function_call_arguments.delta", "output_index": 5, "delta": ": 1}"},
            {"type": "response.mcp_call_arguments.delta", "output_index": 2, "delta": '{"url": "u"}'},
        ]
    respond(Wire(sse(events)), stream=True)
    (message,) = parts_of(content_spans, "output")
    expected: list[Any] = list(SAID[0])
    if not whole:  # what the tools and the image came to, nobody said
        expected = [
            each for each in expected if each == "assistant" or each["type"] not in ("tool_call_response", "uri")
        ]
    assert list(message) == expected
    assert content_spans.attributes(SPAN)["gen_ai.response.id"] == "resp_1"
    assert "gen_ai.response.finish_reasons" not in content_spans.attributes(SPAN)


def test_pieces_of_items_that_were_never_announced(respond: Respond, content_spans: Spans) -> None:
    """Events out of order leave what they do say; text of an event that nobody knows is noted as not understood."""
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "He"},
        {"type": "response.hologram.delta", "output_index": 0, "delta": "?"},
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "llo"},
        {"type": "response.created", "response": response(output=(), status="in_progress", usage=None)},
    ]
    read = respond(Wire(sse(events)), stream=True)
    assert [each.type for each in read] == [each["type"] for each in events]
    (output,) = parts_of(content_spans, "output")
    assert output == ("assistant", {"type": "text", "content": "Hello"}, {"type": "response.hologram.delta"})
    assert content_spans.attributes(SPAN)["gen_ai.response.id"] == "resp_1"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, ("length",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, ("content_filter",)),
        ({"status": "incomplete", "incomplete_details": {"reason": "steered"}}, ("steered",)),
        ({"status": "incomplete"}, ("incomplete",)),
        ({"status": "failed", "error": {"code": "server_error", "message": "no"}}, ("error",)),
        ({"status": "cancelled"}, ("cancelled",)),
        ({"status": "queued"}, None),
        ({"status": None}, None),
    ],
)
def test_finish_reasons(respond: Respond, spans: Spans, changes: Mapping[str, Any], reason: object) -> None:
    """Status and details, in the words that chat completions have for them."""
    respond(Wire(response("hello", **changes)))
    assert spans.attributes(SPAN).get("gen_ai.response.finish_reasons") == reason


def test_a_stream_that_fails(respond: Respond, spans: Spans) -> None:
    """An error event ends the answer."""
    created, *_ = response_events("hello")
    respond(
        Wire(sse([created, {"type": "error", "code": "server_error", "message": "no", "param": None}])), stream=True
    )
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("error",)
    assert spans.attributes(SPAN)["gen_ai.response.id"] == "resp_1"


@pytest.mark.parametrize(
    "body",
    [
        {"id": "resp_1"},
        response(output=None) | {"output": None, "usage": None},
        response(output=[{"type": "message", "role": "assistant", "content": None}, {"type": "reasoning"}]),
        response(output=[{"type": "message", "content": 7}, {"type": "hologram"}, {"type": "function_call"}]),
    ],
)
def test_malformed_answers(respond: Respond, spans: Spans, body: Mapping[str, Any]) -> None:
    """What is known of an answer is on the span; the application gets what it would have got."""
    answer = respond(Wire(body))
    assert isinstance(answer, Answered)
    assert spans.attributes(SPAN)["gen_ai.response.id"] == "resp_1"
    assert spans.ending(SPAN) == "completed"


def test_an_answer_that_is_still_to_come_is_unassessed(respond: Respond) -> None:
    """A background response was only queued: its clauses are not taken for such as did not apply."""
    with recorded(rule(Action.BLOCK)) as record:
        answer = respond(Wire(response(output=(), status="queued", usage=None)), background=True)
    assert answer.status == "queued"
    (span,) = record.spans
    assert (span.attributes or {})["gen_ai.response.id"] == "resp_1"
    (decision,) = record.decisions
    assert [finding["outcome"] for finding in decision["findings"]] == ["unassessed"]


def test_raw_responses(respond: Respond, spans: Spans) -> None:
    """A raw response says as much, and is still the application's to parse."""
    raw = respond(Wire(response("hello")), method="with_raw_response.create")
    assert raw.parse().output_text == "hello"
    assert spans.attributes(SPAN)["gen_ai.response.id"] == "resp_1"


class City(BaseModel):
    city: str


def test_parse_is_one_span(respond: Respond, spans: Spans) -> None:
    """The helper that parses answers is one call."""
    answer = respond(Wire(response('{"city": "Oslo"}')), method="parse", text_format=City)
    assert answer.output_parsed == City(city="Oslo")
    assert spans.attributes(SPAN)["gen_ai.output.type"] == "json"


@pytest.mark.parametrize("early", [False, True])
def test_the_stream_helper_is_one_span(spans: Spans, *, early: bool) -> None:
    """The helper that streams events is one call; leaving it early closes the call there and then."""
    with Wire(typed_sse(response_events("hel", "lo"))).sync_client() as client:
        with client.responses.stream(model="gpt-test", input="hi") as stream:
            for event in stream:
                if early and event.type == "response.output_text.delta":
                    break
            if not early:
                assert stream.get_final_response().output_text == "hello"
        assert spans.ending(SPAN) == ("closed" if early else "completed")


async def test_the_async_stream_helper_is_one_span(spans: Spans) -> None:
    """The same of the async client."""
    async with Wire(typed_sse(response_events("hel", "lo"))).async_client() as client:
        async with client.responses.stream(model="gpt-test", input="hi") as stream:
            assert (await stream.get_final_response()).output_text == "hello"
    assert spans.ending(SPAN) == "completed"
