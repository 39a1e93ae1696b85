"""A policy in force over the real Anthropic client: what is sent, what is handed over, and what the record says."""

from __future__ import annotations

import copy
import gc
import json
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from anthropic.types import Message
from anthropic_wire import WAYS, Wire, ask, events, message, sse, thinking, tool_use
from policies import Code, bound, policy

from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.policy.policy import Policy
from specspan.testing.memory import Recorded, recorded

pytestmark = pytest.mark.usefixtures("anthropic_instrumented")

SECRET = "123-45-6789"
REDACTED = "[redacted:ssn]"
PLAIN = ("plain", "raw", "unread", "beta", "parse")
both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def rule(action: Action, stage: Stage = Stage.OUTPUT) -> Policy:
    ssn = {"any": [r"\d{3}-\d{2}-\d{4}"], "stage": stage.value, "reason": "ssn"}
    check = build("clause", ssn | {"roles": ["system", "user", "assistant"]})
    return policy(bound("privacy", check, action=action, replacement="(withheld)"))


def refuses_tool(name: str) -> Policy:
    """A policy under which the tool called ``name`` may not be called."""

    def allowed(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return all(each.name != name for each in call.tool_calls)

    return policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))


def streamed(*pieces: str) -> Wire:
    return Wire("".join(sse(events(pieces))))


def found(record: Recorded) -> dict[str, Any]:
    (span,) = record.spans
    return dict(span.attributes or {})


@both
@pytest.mark.parametrize("way", WAYS)
def test_a_blocked_input_is_never_sent(way: str, *, is_async: bool) -> None:
    """`Blocked` is raised before the service is asked, and no coroutine is left that nobody awaits."""
    wire = Wire(message("hello"))
    asked = [{"role": "user", "content": f"mine is {SECRET}"}]
    with recorded(rule(Action.BLOCK, Stage.INPUT)) as record, pytest.raises(Blocked):
        ask(wire, way, is_async=is_async, messages=asked)
    gc.collect()
    assert wire.requests == []
    assert found(record)["error.type"] == "specspan.blocked"


@both
@pytest.mark.parametrize("way", WAYS)
def test_a_redacted_input_is_sent_redacted(way: str, *, is_async: bool) -> None:
    """Wherever it stands; the application's own messages are not touched, nor is what says nothing."""
    wire = streamed("ok") if way in ("stream", "helper") else Wire(message("ok"))
    system = [{"type": "text", "text": f"Know {SECRET}."}]
    messages = [
        {"role": "user", "content": f"mine is {SECRET}"},
        {"role": "assistant", "content": [thinking("Hm."), tool_use("search", {"q": "x"})]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": f"It is {SECRET}"}]},
                {"type": "tool_result", "tool_use_id": "2", "content": f"Or {SECRET}"},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": SECRET}},
                {"type": "text", "text": "Well?"},
            ],
        },
    ]
    before = copy.deepcopy((system, messages))
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        ask(wire, way, is_async=is_async, messages=messages, system=system)
    assert (system, messages) == before
    (sent,) = wire.requests
    whole = json.dumps({"system": system, "messages": messages})
    assert {name: sent[name] for name in ("system", "messages")} == json.loads(whole.replace(SECRET, REDACTED))


def test_a_result_without_a_text_of_its_own_is_withheld() -> None:
    """What the service's own tool found is sent back as a text in which it is redacted."""
    wire = Wire(message("ok"))
    content = [{"type": "web_search_result", "title": SECRET, "url": "u", "encrypted_content": "x"}]
    result = {"type": "web_search_tool_result", "tool_use_id": "1", "content": content}
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        ask(wire, messages=[{"role": "assistant", "content": [result]}, {"role": "user", "content": "So?"}])
    (block,) = wire.requests[0]["messages"][0]["content"]
    assert block["type"] == "text"
    assert SECRET not in block["text"]
    assert REDACTED in block["text"]


@both
@pytest.mark.parametrize("way", PLAIN)
@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, f"It is {REDACTED}."), (Action.REPLACE, "(withheld)")]
)
def test_an_edited_answer(way: str, action: Action, handed_over: str, *, is_async: bool) -> None:
    """The answer is the client's own object with another text; what was signed stays as it is."""
    body = message(thinking("Hm."), "Fine.", f"It is {SECRET}.")
    with recorded(rule(action)) as record:
        answer = ask(Wire(body), way, is_async=is_async)
    assert [getattr(block, "text", None) for block in answer.content] == [None, "Fine.", handed_over]
    assert answer.content[0].signature == "c2lnbmVk"
    assert SECRET not in answer.to_json()
    assert found(record)["specspan.redactions"] == ("/output/0/parts/2",)


@both
@pytest.mark.parametrize("way", PLAIN)
def test_a_blocked_answer(way: str, *, is_async: bool) -> None:
    """`Blocked` is raised in place of the answer; what it cost is on the span all the same."""
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(Blocked):
        ask(Wire(message(f"It is {SECRET}.")), way, is_async=is_async)
    assert found(record)["gen_ai.usage.output_tokens"] == 7


@both
@pytest.mark.parametrize("way", ["stream", "helper"])
def test_a_stream_is_cut(way: str, *, is_async: bool) -> None:
    """The text that completes a violation is redacted, and the message ends as one whose model declined to go on."""
    wire = streamed("It is ", "123-45-", "6789.", " Bye")
    with recorded(rule(Action.REDACT)) as record:
        read = ask(wire, way, is_async=is_async)
    assert found(record)["gen_ai.response.finish_reasons"] == ("content_filter",)
    if way == "helper":
        assert isinstance(read, Message)
        assert read.stop_reason == "refusal"
        assert "6789" not in read.to_json()
        return
    assert [event.type for event in read][-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert read[-2].delta.stop_reason == "refusal"
    assert "6789" not in "".join(event.to_json() for event in read)


@both
@pytest.mark.parametrize("way", ["stream", "helper"])
def test_a_blocked_stream(way: str, *, is_async: bool) -> None:
    """`Blocked` takes the place of the text that completes a violation."""
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(Blocked):
        ask(streamed("It is ", "123-45-", "6789."), way, is_async=is_async)
    assert found(record)["specspan.stream.released_chars"] == len("It is 123-45-")


@both
@pytest.mark.parametrize("way", ["stream", "helper"])
def test_a_tool_call_is_decided_before_the_message_ends(way: str, *, is_async: bool) -> None:
    """Who waits for why the model stopped never gets to run the tool."""
    wire = Wire("".join(sse(events(["Wait."], tool_use("refund", {"sum": 7}), stop_reason="tool_use"))))
    with recorded(refuses_tool("refund")) as record, pytest.raises(Blocked):
        ask(wire, way, is_async=is_async)
    assert found(record)["specspan.decision.action"] == "block"


@pytest.mark.parametrize("kind", ["with_raw_response", "with_streaming_response"])
def test_a_raw_stream_is_cut_in_its_bytes(kind: str) -> None:
    """Who reads the lines of the body itself is told no more than who reads events."""
    wire = streamed("It is ", "123-45-", "6789.", " Bye")
    asked: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    with recorded(rule(Action.REDACT)) as record, wire.sync_client() as client:
        made = getattr(client.messages, kind).create(**asked, stream=True)
        with made if kind == "with_streaming_response" else nullcontext(made) as answer:
            lines = list(answer.iter_lines())
    assert [line for line in lines if "6789" in line or "Bye" in line] == []
    assert lines[-3:-1] == ["event: message_stop", 'data: {"type":"message_stop"}']
    assert found(record)["specspan.stream.released_chars"] == len("It is 123-45-")


CITED = {"type": "char_location", "cited_text": SECRET, "document_index": 0, "document_title": "A title",
         "start_char_index": 0, "end_char_index": 11}  # fmt: skip


def test_a_redacted_citation() -> None:
    """A citation is redacted where it stands; the text beside it is handed over as it is."""
    cited = {"type": "text", "text": "It is so.", "citations": [CITED]}
    with recorded(rule(Action.REDACT)) as record:
        answer = ask(Wire(message(cited)))
    (block,) = answer.content
    assert block.text == "It is so."
    assert block.citations[0].cited_text == f"A title\n{REDACTED}"
    assert found(record)["specspan.redactions"] == ("/output/0/parts/1",)


def test_a_stream_cut_at_a_citation() -> None:
    """A citation that violates a clause is withheld, and a text says so in its place."""
    said = events(["It is so."])
    said.insert(3, {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": CITED}})
    with recorded(rule(Action.REDACT)):
        read = ask(Wire("".join(sse(said))), "stream")
    assert SECRET not in repr(read)
    assert REDACTED in repr(read)
    assert read[-1].type == "message_stop"
