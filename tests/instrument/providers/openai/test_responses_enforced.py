"""OpenAI's Responses API under a policy: what is sent, and what is handed over."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from openai import Stream
from openai.types.responses import Response as Answered
from openai_responses import OUTPUT, Respond, rule
from openai_wire import Wire, response, response_events, sse, typed_sse
from policies import Code, bound, policy

from specspan.call import ModelCall, Reasoning, Refusal, Text, ToolCall, ToolCallResponse
from specspan.checks.check import TextAt
from specspan.decision import Action, Mode, Stage
from specspan.errors import Blocked
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats.openai_responses import read_item
from specspan.instrument.providers.openai.responses import ADAPTER
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SPAN = "chat gpt-test"
SECRET = "123-45-6789"


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
    assert (span.attributes or {})["specspan.redactions"] == (
        "/output/0/parts/1",
        "/output/0/parts/2",
        "/output/0/parts/unlisted/0/0",  # the log probabilities
    )


def test_an_edited_refusal(respond: Respond) -> None:
    """So is a refusal."""
    message = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": f"Not {SECRET}."}]}
    wire = Wire(response(output=[message]))
    with recorded(rule(Action.REDACT)):
        answer = respond(wire)
    assert answer.output[0].content[0].refusal == "Not [redacted:ssn]."


def test_texts_of_every_place_can_be_edited() -> None:
    """Instructions, reasoning and refusals of an earlier turn too, each in a copy."""
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
    edited = ADAPTER.edit_request(Invocation(None, (), given), edits).kwargs
    assert json.dumps(items) == before
    assert (edited["instructions"], edited["model"]) == ("E", "m")
    assert [part for item in edited["input"] for part in read_item(item).parts] == [
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
