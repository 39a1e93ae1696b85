"""OpenAI's Responses API through the real client: what its spans say, whichever way it is called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from ended_spans import Spans
from openai import Stream
from openai.types.responses import Response as Answered
from openai_wire import Wire, response, response_events, sse, typed_sse
from opentelemetry.trace import SpanKind
from policies import Code, bound, pattern, policy
from pydantic import BaseModel

from specspan import losses
from specspan.call import ModelCall, Reasoning, Refusal, Text, ToolCall, ToolCallResponse
from specspan.checks.base import TextAt
from specspan.decision import Action, Mode, Stage
from specspan.errors import Blocked
from specspan.instrument.adapter import Invocation
from specspan.instrument.providers._responses import message_of
from specspan.instrument.providers.openai import ADAPTERS
from specspan.policy.model import Policy
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SPAN = "chat gpt-test"
SECRET = "123-45-6789"
Respond = Callable[..., Any]


def respond_sync(wire: Wire, *, method: str = "create", **parameters: Any) -> Any:
    with wire.sync_client() as client:
        answer = _method(client, method)(**{"model": "gpt-test", "input": "hi", **parameters})
        return list(answer) if parameters.get("stream") else answer


def respond_async(wire: Wire, *, method: str = "create", **parameters: Any) -> Any:
    async def respond() -> Any:
        async with wire.async_client() as client:
            answer = await _method(client, method)(**{"model": "gpt-test", "input": "hi", **parameters})
            return [each async for each in answer] if parameters.get("stream") else answer

    return asyncio.run(respond())


def _method(client: Any, name: str) -> Any:
    found = client.responses
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.fixture(params=[respond_sync, respond_async], ids=["sync", "async"])
def respond(request: pytest.FixtureRequest) -> Respond:
    """Asks through the sync and through the async client."""
    found: Respond = request.param
    return found


def rule(action: Action, stage: Stage = Stage.OUTPUT, mode: Mode = Mode.ENFORCE) -> Policy:
    check = pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn")
    return policy(bound("privacy", check, action=action, replacement="(withheld)"), mode=mode)


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
    before = losses.totals().get(("content", "not_understood"), 0)
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
    assert losses.totals()["content", "not_understood"] - before == 2


OUTPUT: list[Any] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hmm"}]},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "cats"}},
    {
        "type": "mcp_call",
        "id": "mcp_1",
        "name": "fetch",
        "server_label": "s",
        "arguments": '{"url": "u"}',
        "output": "A page.",
    },
    {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": "QUFBQQ==",
        "output_format": "webp",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "Here.", "annotations": []},
            {"type": "refusal", "refusal": "But no."},
        ],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"at": 1}'},
]
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
    """Events out of order, and such as nobody knows, leave what they do say."""
    events: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "He"},
        {"type": "response.hologram.delta", "output_index": 0, "delta": "?"},
        {"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "llo"},
        {"type": "response.created", "response": response(output=(), status="in_progress", usage=None)},
    ]
    read = respond(Wire(sse(events)), stream=True)
    assert [each.type for each in read] == [each["type"] for each in events]
    assert parts_of(content_spans, "output") == [("assistant", {"type": "text", "content": "Hello"})]
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


def test_a_blocked_input_is_never_sent(respond: Respond) -> None:
    """`Blocked` is raised before the service is asked."""
    wire = Wire(response("hello"))
    with recorded(rule(Action.BLOCK, Stage.INPUT)), pytest.raises(Blocked):
        respond(wire, input=f"mine is {SECRET}")
    assert wire.requests == []


def test_a_redacted_input_is_sent_redacted(respond: Respond) -> None:
    """Messages and what tools answered go over the wire redacted; the application's own are not touched."""
    wire = Wire(response("hello"))
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": f"mine is {SECRET}"}]},
        {"type": "function_call_output", "call_id": "c1", "output": f"His: {SECRET}"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": SECRET}]},
    ]
    before = json.dumps(items)
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        respond(wire, input=items)
        respond(wire, input=f"mine is {SECRET}")
    assert json.dumps(items) == before
    sent, plain = wire.requests
    assert [each.get("content", each.get("output")) for each in sent["input"]] == [
        [{"type": "input_text", "text": "mine is [redacted:ssn]"}],
        "His: [redacted:ssn]",
        [{"type": "input_text", "text": "[redacted:ssn]"}],
    ]
    assert plain["input"] == "mine is [redacted:ssn]"


@pytest.mark.parametrize("method", ["create", "with_raw_response.create", "parse"])
@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, "It is [redacted:ssn]."), (Action.REPLACE, "(withheld)")]
)
def test_an_edited_answer(respond: Respond, action: Action, handed_over: str, method: str) -> None:
    """The answer is the client's own object with another text, and nothing that was made of the old one."""
    piece = {
        "type": "output_text",
        "text": f"It is {SECRET}.",
        "annotations": [{"type": "url_citation", "url": "u", "title": SECRET, "start_index": 0, "end_index": 1}],
        "logprobs": [{"token": SECRET, "logprob": -1, "bytes": [], "top_logprobs": []}],
    }
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [piece]}
    with recorded(rule(action)) as record:
        answer = respond(Wire(response(output=[OUTPUT[0], message])), method=method)
        answer = answer.parse() if "raw" in method else answer
    assert isinstance(answer, Answered)
    assert answer.output_text == handed_over
    assert SECRET not in answer.to_json()
    (span,) = record.spans
    assert (span.attributes or {})["specspan.redactions"] == ("/output/0/parts/1",)


def test_an_edited_refusal(respond: Respond) -> None:
    """So is a refusal."""
    message = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": f"Not {SECRET}."}]}
    wire = Wire(response(output=[message]))
    with recorded(rule(Action.REDACT)):
        answer = respond(wire)
    assert answer.output[0].content[0].refusal == "Not [redacted:ssn]."


def test_texts_of_every_place_can_be_edited() -> None:
    """Instructions, reasoning and refusals of an earlier turn too, each in a copy."""
    (adapter,) = [each for each in ADAPTERS if any("Responses" in method for method in each.methods)]
    items: list[Any] = [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "b"}, {"type": "refusal", "refusal": "c"}]},
        {"type": "mcp_call", "name": "f", "arguments": "{}", "output": "d"},
    ]
    edits = {
        "/system_instructions/0": "E",
        "/input/0/parts/0": "A",
        "/input/1/parts/0": "B",
        "/input/1/parts/1": "C",
        "/input/2/parts/1": "D",
    }
    before = json.dumps(items)
    given = {"input": items, "instructions": "e", "model": "m"}
    edited = adapter.edit_request(Invocation(None, (), given), edits).kwargs
    assert json.dumps(items) == before
    assert (edited["instructions"], edited["model"]) == ("E", "m")
    assert [part for item in edited["input"] for part in message_of(item).parts] == [
        Reasoning("A"),
        Text("B"),
        Refusal("C"),
        ToolCall("f", {}),
        ToolCallResponse("D"),
    ]


@pytest.mark.parametrize("helper", [False, True])
def test_a_cut_stream_ends_as_a_client_expects(*, helper: bool) -> None:
    """The last words with what stands in place of the violation, then the event that says it is incomplete, and why."""
    wire = Wire(typed_sse(response_events("It is 123-", "45-6789", " and so on")))
    with recorded(rule(Action.REDACT)) as record, wire.sync_client() as client:
        if helper:
            with client.responses.stream(model="gpt-test", input="hi") as stream:
                read: list[Any] = list(stream)
        else:
            plain: Stream[Any] = client.responses.create(model="gpt-test", input="hi", stream=True)
            read = list(plain)
    said = "".join(each.delta for each in read if each.type == "response.output_text.delta")
    assert said == "It is 123-[redacted:ssn]"
    last = read[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")
    assert last.response.incomplete_details.reason == "content_filter"
    assert last.response.output_text == said
    assert last.sequence_number == read[-2].sequence_number + 1
    (span,) = record.spans
    found = span.attributes or {}
    assert found["gen_ai.response.finish_reasons"] == ("content_filter",)
    assert found["specspan.stream.released_chars"] == 10


def test_a_blocked_stream(respond: Respond) -> None:
    """In place of the event that completes a violation, `Blocked` is raised."""
    with recorded(rule(Action.BLOCK)), pytest.raises(Blocked):
        respond(Wire(typed_sse(response_events("It is ", SECRET, "."))), stream=True)


def test_a_tool_call_is_decided_before_the_tool_can_run(respond: Respond) -> None:
    """The event that completes the response is not handed over; nor is a plain answer with the call in it."""

    def allowed(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return all(each.name != "look" for each in call.tool_calls)

    rules = policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))
    events = [{"type": "response.completed", "response": response(output=OUTPUT), "sequence_number": 0}]
    with recorded(rules):
        for parameters in ({}, {"stream": True}):
            with pytest.raises(Blocked):
                respond(Wire(sse(events) if parameters else response(output=OUTPUT)), **parameters)


def test_observing_hands_over_the_very_events(respond: Respond) -> None:
    """In observe mode a violation changes nothing in the stream."""
    events = response_events("It is ", SECRET, ".")
    with recorded(rule(Action.BLOCK, mode=Mode.OBSERVE)) as record:
        read = respond(Wire(typed_sse(events)), stream=True)
    assert [each.type for each in read] == [each["type"] for each in events]
    assert [decision["would"] for decision in record.decisions] == ["block"]
