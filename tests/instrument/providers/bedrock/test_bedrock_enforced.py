"""A policy in force over the real Bedrock client: what is sent, what is handed over, and what the record says."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from bedrock_bodies import PLAIN, STREAMED
from bedrock_wire import Wire, answered, called, client, conversation, events, pieces
from botocore.eventstream import EventStream
from botocore.response import StreamingBody
from policies import Code, bound, policy

from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.policy.policy import Policy
from specspan.testing.memory import Recorded, recorded

pytestmark = pytest.mark.usefixtures("bedrock_instrumented")

SECRET = "123-45-6789"
REDACTED = "[redacted:ssn]"
HI = [{"role": "user", "content": [{"text": "hi"}]}]
TEXTS = {name: case for name, case in PLAIN.items() if case[2].texts}


def rule(action: Action, stage: Stage = Stage.OUTPUT) -> Policy:
    ssn = {"any": [r"\d{3}-\d{2}-\d{4}"], "stage": stage.value, "reason": "ssn"}
    check = build("clause", ssn | {"roles": ["system", "user", "assistant", "tool"]})
    return policy(bound("privacy", check, action=action, replacement="(withheld)"))


def refuses_tool(name: str) -> Policy:
    """A policy under which the tool called ``name`` may not be called."""

    def allowed(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return all(each.name != name for each in call.tool_calls)

    return policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))


def converse(wire: Wire, **asked: Any) -> Any:
    return client(wire).converse(modelId="nova", **{"messages": HI, **asked})


def converse_stream(*said: dict[str, Any]) -> Any:
    return client(Wire(b"".join(events(*said)))).converse_stream(modelId="nova", messages=HI)["stream"]


def invoke(wire: Wire, asked: Any) -> Any:
    return client(wire).invoke_model(modelId="m", body=json.dumps(asked))


def found(record: Recorded) -> dict[str, Any]:
    (span,) = record.spans
    return dict(span.attributes or {})


def with_secret(said: Any, *, instead_of: str) -> Any:
    return json.loads(json.dumps(said).replace(f'"{instead_of}"', f'"It is {SECRET}."'))


@pytest.mark.parametrize("asked", [each[0] for each in PLAIN.values()], ids=PLAIN.keys())
def test_a_blocked_input_is_never_sent(asked: Any) -> None:
    """`Blocked` is raised before the service is asked, whatever the shape of what it is asked."""
    wire = Wire({})
    sent = json.loads(re.sub(r"\bhi\b|a cat", SECRET, json.dumps(asked)))
    with recorded(rule(Action.BLOCK, Stage.INPUT)) as record, pytest.raises(Blocked):
        invoke(wire, sent)
    assert wire.requests == []
    assert found(record)["error.type"] == "specspan.blocked"


@pytest.mark.parametrize("asked", [each[0] for each in PLAIN.values()], ids=PLAIN.keys())
def test_a_redacted_body_is_sent_redacted(asked: Any) -> None:
    """Only its text is another."""
    wire = Wire({})
    sent = re.sub(r"\bhi\b|kind", f"mine: {SECRET}", json.dumps(asked))
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        client(wire).invoke_model(modelId="m", body=sent, accept="application/json")
    assert wire.requests == [json.loads(sent.replace(SECRET, REDACTED))]


def test_a_redacted_conversation_is_sent_redacted() -> None:
    """Wherever it stands; the application's own messages are not touched, nor is what says nothing."""
    wire = Wire(answered("ok"))
    system = [{"text": f"Know {SECRET}."}, {"cachePoint": {"type": "default"}}]
    result = [{"text": f"It is {SECRET}"}, {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://b/p"}}}}]
    messages = [
        {"role": "user", "content": [{"text": f"mine is {SECRET}"}, {"text": "So?"}]},
        {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "search", "input": {"q": "x"}}}]},
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "1", "content": result}},
                {"document": {"format": "txt", "name": "a", "source": {"text": SECRET}}},
                {"guardContent": {"text": {"text": f"See {SECRET}"}}},
                {"searchResult": {"source": "u", "title": "t", "content": [{"text": "No."}, {"text": SECRET}]}},
            ],
        },
    ]
    before = copy.deepcopy((system, messages))
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        converse(wire, messages=messages, system=system)
    assert (system, messages) == before
    assert wire.requests == [json.loads(json.dumps({"messages": messages, "system": system}).replace(SECRET, REDACTED))]


def test_a_result_that_is_no_text_is_withheld() -> None:
    """What a tool found is sent as a text in which it is redacted."""
    wire = Wire(answered("ok"))
    result = {"toolResult": {"toolUseId": "1", "content": [{"text": "found"}, {"json": {"number": SECRET}}]}}
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        converse(wire, messages=[{"role": "user", "content": [result]}])
    first, second = wire.requests[0]["messages"][0]["content"][0]["toolResult"]["content"]
    assert first == {"text": "found"}
    assert SECRET not in second["text"]
    assert REDACTED in second["text"]


@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, f"It is {REDACTED}."), (Action.REPLACE, "(withheld)")]
)
def test_an_edited_answer(action: Action, handed_over: str) -> None:
    """The answer is the client's with another text; everything else in it is as it was."""
    thought = {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "s"}}}
    body = answered(thought, "Fine.", f"It is {SECRET}.")
    with recorded(rule(action)) as record:
        answer = converse(Wire(body))
    assert answer["output"]["message"]["content"] == [thought, {"text": "Fine."}, {"text": handed_over}]
    assert {name: answer[name] for name in ("usage", "metrics")} == {name: body[name] for name in ("usage", "metrics")}
    assert found(record)["specspan.redactions"] == ("/output/0/parts/2",)


@pytest.mark.parametrize(("asked", "body", "facts"), TEXTS.values(), ids=TEXTS.keys())
def test_an_edited_body(asked: Any, body: Any, facts: Any) -> None:
    """Is a body like the client's, whose bytes say nothing of what was taken out."""
    told = with_secret(body, instead_of="So.")
    with recorded(rule(Action.REDACT)) as record:
        answer = invoke(Wire(told), asked)
    assert type(answer["body"]) is StreamingBody
    read = json.loads(answer["body"].read())
    assert read == json.loads(json.dumps(told).replace(SECRET, REDACTED))
    attributes = found(record)
    assert attributes["specspan.decision.action"] == "redact"
    assert attributes.get("gen_ai.response.finish_reasons", ()) == facts.finish_reasons


def test_a_body_that_repeats_its_text() -> None:
    """Says it no longer anywhere."""
    said = f"It is {SECRET}."
    history = [{"role": "USER", "message": "hi"}, {"role": "CHATBOT", "message": said}]
    cited = [{"start": 6, "end": 17, "text": SECRET}]
    with recorded(rule(Action.REDACT)):
        answer = invoke(Wire({"text": said, "chat_history": history, "citations": cited}), {"message": "hi"})
    read = answer["body"].read()
    assert SECRET.encode() not in read
    assert json.loads(read)["chat_history"][0] == history[0]


def test_a_blocked_answer() -> None:
    """`Blocked` is raised in place of the answer; what it cost is on the span all the same."""
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(Blocked):
        converse(Wire(answered(f"It is {SECRET}.")))
    assert found(record)["gen_ai.usage.output_tokens"] == 7


def test_a_stream_is_cut() -> None:
    """The text that completes a violation is redacted, and the message ends as one of which content was filtered."""
    with recorded(rule(Action.REDACT)) as record:
        stream = converse_stream(*conversation(["It is ", "123-45-", "6789.", " Bye"]))
        read = list(stream)
    assert isinstance(stream, EventStream)
    assert [next(iter(event)) for event in read][-3:] == ["contentBlockDelta", "contentBlockStop", "messageStop"]
    assert read[-1]["messageStop"]["stopReason"] == "content_filtered"
    assert "6789" not in json.dumps(read)
    assert found(record)["gen_ai.response.finish_reasons"] == ("content_filter",)


@pytest.mark.parametrize(("asked", "said"), [each[:2] for each in STREAMED.values()], ids=STREAMED.keys())
def test_a_stream_of_any_shape_is_cut(asked: Any, said: Any) -> None:
    """And ends as its maker ends one."""
    told = json.loads(json.dumps(said).replace('"S"', '"It is 123-45-"').replace('"o."', '"6789. Bye"'))
    wire = Wire(b"".join(pieces(*told)))
    with recorded(rule(Action.REDACT)) as record:
        answer = client(wire).invoke_model_with_response_stream(modelId="m", body=json.dumps(asked))
        read = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert REDACTED in json.dumps(read)
    assert "6789" not in json.dumps(read)
    assert "content_filter" in found(record)["gen_ai.response.finish_reasons"]


def test_a_piece_with_many_choices_is_cut_for_all() -> None:
    """What was not examined is not handed over."""
    told = [
        {"outputs": [{"text": "It is ", "stop_reason": None}, {"text": "Or ", "stop_reason": None}]},
        {"outputs": [{"text": f"{SECRET}.", "stop_reason": None}, {"text": SECRET, "stop_reason": None}]},
    ]
    wire = Wire(b"".join(pieces(*told)))
    with recorded(rule(Action.REDACT)):
        answer = client(wire).invoke_model_with_response_stream(modelId="m", body=b'{"prompt": "hi"}')
        read = [json.loads(event["chunk"]["bytes"]) for event in answer["body"]]
    assert [each["text"] for each in read[-1]["outputs"]] == [REDACTED, ""]
    assert {each["stop_reason"] for each in read[-1]["outputs"]} == {"CONTENT_FILTERED"}


@pytest.mark.parametrize(("asked", "said"), [each[:2] for each in STREAMED.values()], ids=STREAMED.keys())
def test_a_blocked_stream(asked: Any, said: Any) -> None:
    """`Blocked` takes the place of the piece that completes a violation."""
    told = json.loads(json.dumps(said).replace('"S"', '"It is 123-45-"').replace('"o."', '"6789. Bye"'))
    wire = Wire(b"".join(pieces(*told)))
    with recorded(rule(Action.BLOCK)) as record:
        answer = client(wire).invoke_model_with_response_stream(modelId="m", body=json.dumps(asked))
        read: list[bytes] = []
        with pytest.raises(Blocked):
            read.extend(event["chunk"]["bytes"] for event in answer["body"])
    assert b"6789" not in b"".join(read)
    assert found(record)["specspan.stream.released_chars"] >= len("It is 123-45-")


def test_a_tool_call_is_decided_before_the_message_ends() -> None:
    """Who waits for why the model stopped never gets to run the tool."""
    said = conversation(["Wait."], reason="tool_use")
    said[3:3] = called("refund", '{"sum": 7}')
    seen: list[str] = []
    with recorded(refuses_tool("refund")) as record, pytest.raises(Blocked):
        seen.extend(next(iter(event)) for event in converse_stream(*said))
    assert "messageStop" not in seen
    assert found(record)["specspan.decision.action"] == "block"
