"""Google GenAI: what of a request and of an answer is understood, and what a policy makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ended_spans import Spans
from google.genai import types
from google_wire import WAYS, Wire, answer, ask, call, sse
from policies import Code, bound, pattern, policy

from specspan import losses
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("google_instrumented")

SPAN = "chat gemini-test"
SECRET = "123-45-6789"
both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def wired(way: str, *parts: Any, **changes: Any) -> Wire:
    body = answer(*parts, **changes)
    return Wire([sse(body) if "stream" in way else body])


@both
@pytest.mark.parametrize("way", WAYS)
def test_one_call_one_span(content_spans: Spans, way: str, *, is_async: bool) -> None:
    """Through models or a chat, plain or streamed: usage counts cached tokens in, and thoughts with the answer."""
    config = {"temperature": 0.5, "max_output_tokens": 9, "system_instruction": "Be kind."}
    parts = ({"text": "Hm.", "thought": True}, "Hello", call("search", q="x"))
    ask(wired(way, *parts), way, is_async=is_async, config=config)
    assert content_spans.names == [SPAN]
    found = content_spans.attributes(SPAN)
    assert found["gen_ai.provider.name"] == "gcp.gemini"
    assert found["gen_ai.response.finish_reasons"] == ("tool_calls",)
    assert found["gen_ai.usage.input_tokens"] == 17
    assert found["gen_ai.usage.cache_read.input_tokens"] == 4
    assert (found["gen_ai.usage.output_tokens"], found["gen_ai.usage.reasoning.output_tokens"]) == (7, 2)
    assert (found["gen_ai.request.temperature"], found["gen_ai.request.max_tokens"]) == (0.5, 9)
    (message,) = json.loads(str(found["gen_ai.output.messages"]))
    assert [part["type"] for part in message["parts"]] == ["reasoning", "text", "tool_call"]
    assert json.loads(str(found["gen_ai.system_instructions"])) == [{"type": "text", "content": "Be kind."}]


def test_vertex_is_told_apart(spans: Spans) -> None:
    """The same client talks to both."""
    ask(wired("plain", "hi"), vertex=True)
    found = spans.attributes(SPAN)
    assert found["gen_ai.provider.name"] == "gcp.vertex_ai"
    assert found["server.address"] == "us-central1-aiplatform.googleapis.com"


def test_counts_of_a_stream_are_not_added(spans: Spans) -> None:
    """Each chunk says what was counted so far."""
    chunks = [answer("a", reason=None), answer("b")]
    ask(Wire([sse(*chunks)]), "stream")
    assert spans.attributes(SPAN)["gen_ai.usage.output_tokens"] == 7


@both
def test_functions_the_client_calls_itself_are_decided_before(*, is_async: bool) -> None:
    """Each request is a call of its own, and a function that may not be called is not."""
    ran = []

    def refund(amount: int) -> str:
        """Pay back."""
        ran.append(amount)
        return "done"

    def allowed(each: Any, texts: Any) -> bool:
        return all(tool.name != "refund" for tool in each.tool_calls)

    wire = Wire([answer(call("refund", amount=7)), answer("Done.")])
    rule = policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))
    with recorded(rule) as record, pytest.raises(Blocked):
        ask(wire, "chat", is_async=is_async, config={"tools": [refund]})
    assert ran == []
    assert len(record.spans) == len(wire.requests) == 1


CONTENTS: list[Any] = [
    f"mine is {SECRET}",
    [f"mine is {SECRET}", types.Part(text=SECRET)],
    types.Content(
        role="user", parts=[types.Part(text=SECRET), types.Part.from_bytes(data=b"x", mime_type="image/png")]
    ),
    [{"role": "user", "parts": [{"text": SECRET}]}, {"role": "model", "parts": [{"text": SECRET}]}],
]


@pytest.mark.parametrize("contents", CONTENTS)
def test_a_redacted_input_is_sent_redacted(contents: Any) -> None:
    """However it is written; the application's own objects are not touched."""
    wire, before = wired("plain", "ok"), repr(contents)
    rule = policy(bound("privacy", pattern(SECRET, stage=Stage.INPUT, reason="ssn"), action=Action.REDACT))
    with recorded(rule):
        ask(wire, contents=contents)
    assert repr(contents) == before
    sent = json.dumps(wire.requests[0]["contents"])
    assert "[redacted:ssn]" in sent
    assert "user" in sent
    (first, *_) = wire.requests[0]["contents"]
    assert SECRET not in json.dumps(first)


@both
@pytest.mark.parametrize("way", WAYS)
def test_a_redacted_answer(way: str, *, is_async: bool) -> None:
    """The client's own objects, with another text."""
    rule = policy(bound("privacy", pattern(SECRET, reason="ssn"), action=Action.REDACT))
    with recorded(rule):
        got = ask(wired(way, f"It is {SECRET}"), way, is_async=is_async)
    last = got[-1] if isinstance(got, list) else got
    assert isinstance(last, types.GenerateContentResponse)
    assert "".join(each.text or "" for each in (got if isinstance(got, list) else [got])) == "It is [redacted:ssn]"


def test_embeddings(content_spans: Spans) -> None:
    """Texts go in, and no text comes out."""
    from google_wire import client
    from httpx2 import MockTransport

    wire = Wire([{"embeddings": [{"values": [0.5]}, {"values": [0.25]}]}])
    made = client(MockTransport(wire))
    assert len(made.models.embed_content(model="e", contents=["one", "two"]).embeddings) == 2
    found = content_spans.attributes("embeddings e")
    assert "one" in str(found["gen_ai.input.messages"])
    assert [name for name in found if name.startswith("gen_ai.usage")] == []


MALFORMED = {
    "no candidates": ({"modelVersion": "m"}, 0),
    "a blocked prompt": ({"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m"}, 0),
    "null where a list was": ({"candidates": None, "modelVersion": "m"}, 0),
    "a candidate without content": ({"candidates": [{"finishReason": "SAFETY"}], "modelVersion": "m"}, 0),
    "an empty part": ({"candidates": [{"content": {"parts": [{}]}, "finishReason": "STOP"}], "modelVersion": "m"}, 1),
}


@pytest.mark.parametrize("way", ["plain", "stream"])
@pytest.mark.parametrize(("body", "lost"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer(spans: Spans, way: str, body: dict[str, Any], lost: int) -> None:
    """The span says what is known, the application gets what the client makes of it."""
    before = losses.totals().get(("content", "not_understood"), 0)
    ask(Wire([sse(body) if way == "stream" else body]), way)
    assert losses.totals().get(("content", "not_understood"), 0) == before + lost
    found = spans.attributes(SPAN)
    assert found["gen_ai.response.model"] == "m"
    assert not any(name.startswith("gen_ai.usage") for name in found)
    if "SAFETY" in json.dumps(body):
        assert found["gen_ai.response.finish_reasons"] == ("content_filter",)
