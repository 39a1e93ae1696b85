"""Mistral's Responses API through its real client: what of a call is understood, and what a policy makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ended_spans import Spans
from mistral_wire import Wire, ask
from mistralai.client import models
from openai_wire import response, response_events, typed_sse
from policies import bound, pattern, policy
from replays import Facts, told

from specspan.call import Usage
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("mistral_instrumented")

SECRET = "123-45-6789"
CALLED = {"type": "function_call", "id": "f", "call_id": "a", "name": "find", "arguments": '{"q": 1}'}
THOUGHT = {
    "type": "reasoning",
    "id": "r",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "Hm."}],
}


def fact(**changes: Any) -> Facts:
    known: dict[str, Any] = {
        "response_id": "resp_1",
        "response_model": "gpt-test-2026",
        "finish_reasons": ("stop",),
        "usage": Usage(12, 5, 4, 3, 2),
        "texts": ("hello",),
    }
    return Facts("mistral_ai", "chat", "vendor/m", **(known | changes))


def create(body: Any, *, is_async: bool, **asked: Any) -> Any:
    wire = body if isinstance(body, Wire) else Wire(body)
    return ask(wire, "responses.create", is_async=is_async, **{"input": "hi", **asked})


def test_an_answer(is_async: bool, content_spans: Spans) -> None:
    """Whatever the body says is on the span, and what was asked."""
    answer = create(response("hello"), is_async=is_async, instructions="Be kind.", max_output_tokens=9)
    assert isinstance(answer, models.CreateResponseResponse)
    (span,) = content_spans.all
    assert told(span) == fact()
    found = span.attributes or {}
    assert (found["gen_ai.request.max_tokens"], found["server.address"]) == (9, "api.mistral.ai")
    assert "Be kind." in str(found["gen_ai.system_instructions"])


def test_a_stream(is_async: bool, content_spans: Spans) -> None:
    """The same of a stream; the application gets every frame."""
    events = response_events("hel", "lo")
    read = create(typed_sse(events), is_async=is_async, stream=True)
    assert [each.event for each in read] == [each["type"] for each in events]
    (span,) = content_spans.all
    assert told(span) == fact()


def test_thoughts_and_tool_calls(is_async: bool, content_spans: Spans) -> None:
    """Each is what it is, and a call is for the application to carry out."""
    body = response(output=[THOUGHT, {**CALLED, "status": "completed"}])
    create(body, is_async=is_async, tools=[{"type": "function", "name": "find", "parameters": {}}])
    (span,) = content_spans.all
    assert told(span) == fact(texts=(), finish_reasons=("tool_calls",), tool_calls=(("a", "find", {"q": 1}),))
    (message,) = json.loads(str((span.attributes or {})["gen_ai.output.messages"]))
    assert message["parts"][0] == {"type": "reasoning", "content": "Hm."}


def _rule(action: Action, stage: Stage = Stage.OUTPUT) -> Any:
    return policy(bound("privacy", pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn"), action=action))


@pytest.mark.parametrize("stream", [False, True])
def test_a_blocked_input_is_never_sent(is_async: bool, *, stream: bool) -> None:
    """`Blocked` is raised before the service is asked."""
    wire = Wire(response("hello"))
    with recorded(_rule(Action.BLOCK, Stage.INPUT)), pytest.raises(Blocked):
        create(wire, is_async=is_async, input=SECRET, stream=stream)
    assert wire.requests == []


def test_redacted_inputs_are_sent_redacted(is_async: bool) -> None:
    """A text, messages, and what tools answered."""
    wire = Wire(response("hello"))
    answered = {"type": "function_call_output", "call_id": "a", "output": SECRET}
    own = [{"role": "user", "content": SECRET}, CALLED, answered]
    with recorded(_rule(Action.REDACT, Stage.INPUT)):
        create(wire, is_async=is_async, input=SECRET)
        create(wire, is_async=is_async, input=own)
    assert SECRET not in json.dumps(wire.requests)
    assert wire.requests[1]["input"][2]["output"] == "[redacted:ssn]"
    assert own[0]["content"] == SECRET


def test_an_edited_answer(is_async: bool) -> None:
    """The client's own object, with another text in it."""
    with recorded(_rule(Action.REDACT)):
        answer = create(response(f"It is {SECRET}."), is_async=is_async)
    assert isinstance(answer, models.CreateResponseResponse)
    assert "It is [redacted:ssn]." in answer.model_dump_json()
    assert SECRET not in answer.model_dump_json()


def test_a_cut_stream_ends_as_an_incomplete_response(is_async: bool) -> None:
    """The last frame has what was handed over, and why there is no more."""
    events = response_events("It is ", SECRET, " for sure")
    with recorded(_rule(Action.REDACT)) as record:
        read = create(typed_sse(events), is_async=is_async, stream=True)
    assert SECRET not in "".join(each.model_dump_json() for each in read)
    last = read[-1].data
    assert isinstance(last, models.ResponsesIncompleteEvent)
    assert last.response.incomplete_details is not None
    assert last.response.incomplete_details.reason == "content_filter"  # type: ignore[union-attr,unused-ignore]  # it is set
    assert last.response.output[0].content[0].text == "It is [redacted:ssn]"  # type: ignore[union-attr,index,unused-ignore]  # it is a text
    (span,) = record.spans
    assert (span.attributes or {})["gen_ai.response.finish_reasons"] == ("content_filter",)


def test_what_was_whole_before_a_cut_is_in_its_last_frame(is_async: bool) -> None:
    """An item that was there before the text that is cut."""
    begin, *rest = response_events(SECRET)
    thought = {"type": "response.output_item.done", "output_index": 0, "item": THOUGHT, "sequence_number": 1}
    later = [{**each, "output_index": 1} if "output_index" in each else each for each in rest]
    with recorded(_rule(Action.REDACT)):
        read = create(typed_sse([begin, thought, *later]), is_async=is_async, stream=True)
    last = json.loads(read[-1].model_dump_json())["data"]
    assert [each["type"] for each in last["response"]["output"]] == ["reasoning", "message"]
    assert last["response"]["output"][0]["content"] == THOUGHT["content"]
    assert last["response"]["output"][1]["content"][0]["text"] == "[redacted:ssn]"


def test_a_stream_without_its_first_event(is_async: bool, content_spans: Spans) -> None:
    """It says what is known, and is cut all the same, without an end that would have to be invented."""
    events = [each for each in response_events("It is ", SECRET) if each["type"] == "response.output_text.delta"]
    create(typed_sse(events), is_async=is_async, stream=True)
    (span,) = content_spans.all
    assert told(span) == fact(
        texts=(f"It is {SECRET}",), response_id=None, response_model=None, finish_reasons=(), usage=Usage()
    )
    with recorded(_rule(Action.REDACT)):
        read = create(typed_sse(events), is_async=is_async, stream=True)
    assert [each.data.delta for each in read] == ["It is ", "[redacted:ssn]"]
