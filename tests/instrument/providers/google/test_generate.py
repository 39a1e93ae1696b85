"""Google GenAI: what of a request and of an answer is understood, and what a policy makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ended_spans import Spans
from google.genai import errors, types
from google_wire import WAYS, Wire, answer, ask, call, sse
from policies import Code, bound, pattern, policy

from specspan._support import drop_counts
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


@both
def test_functions_called_in_the_midst_of_a_stream_are_decided_before(*, is_async: bool) -> None:
    """The client calls a function once its call has come, before the stream's end, unless it may not be called."""
    ran = []

    def refund(amount: int) -> str:
        """Pay back."""
        ran.append(amount)
        return "done"

    def allowed(each: Any, texts: Any) -> bool:
        return all(tool.name != "refund" for tool in each.tool_calls)

    wire = Wire([sse(answer(call("refund", amount=7), reason=None), answer("")), sse(answer("Done."))])
    rule = policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))
    with recorded(rule) as record, pytest.raises(Blocked):
        ask(wire, "chat_stream", is_async=is_async, config={"tools": [refund]})
    assert ran == []
    assert [span.name for span in record.spans] == ["execute_tool refund", SPAN]


@both
@pytest.mark.parametrize("way", ["chat", "chat_stream"])
def test_functions_that_may_be_called(spans: Spans, way: str, *, is_async: bool) -> None:
    """Each has a span of its own, and its result goes back to the model."""

    def price(item: str) -> str:
        """What it costs."""
        return f"{item} is 7"

    bodies = [answer(call("price", item="tea")), answer("It is 7.")]
    wire = Wire([sse(each) for each in bodies] if "stream" in way else [*bodies])
    ask(wire, way, is_async=is_async, config={"tools": [price]})
    assert sorted(spans.names) == [SPAN, SPAN, "execute_tool price"]
    assert "tea is 7" in json.dumps(wire.requests[1])


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
    before = drop_counts.totals().get(("content", "not_understood"), 0)
    ask(Wire([sse(body) if way == "stream" else body]), way)
    assert drop_counts.totals().get(("content", "not_understood"), 0) == before + lost
    found = spans.attributes(SPAN)
    assert found["gen_ai.response.model"] == "m"
    assert not any(name.startswith("gen_ai.usage") for name in found)
    if "SAFETY" in json.dumps(body):
        assert found["gen_ai.response.finish_reasons"] == ("content_filter",)


def unknown(**part: Any) -> dict[str, Any]:
    return answer(part, reason=None)


def elsewhere(text: str, index: int, reason: str | None = None) -> dict[str, Any]:
    """A chunk of one of several candidates."""
    made = answer(text, reason=reason)
    made["candidates"][0]["index"] = index
    return made


STREAMS: dict[str, tuple[list[Any], str, tuple[str, ...] | None, int]] = {
    "without its last chunk": ([answer("one ", reason=None), answer("two", reason=None)], "one two", None, 0),
    "nothing but usage": ([{"usageMetadata": {"promptTokenCount": 17}, "modelVersion": "m"}], "", None, 0),
    "an empty event": ([{}, answer("one")], "one", ("stop",), 0),
    "null where parts were": (
        [{"candidates": [{"content": {"role": "model", "parts": None}}]}, answer("one")],
        "one",
        ("stop",),
        0,
    ),
    "null where content was": ([{"candidates": [{"content": None}]}, answer("one")], "one", ("stop",), 0),
    "null for candidates, and then some": ([{"candidates": None}, answer("one")], "one", ("stop",), 0),
    "a part without anything in it": ([unknown(), answer("one")], "one", ("stop",), 1),
    "a part of an unknown kind": ([unknown(hologram={"depth": 1}), answer("one")], "one", ("stop",), 1),
    "a part that only describes": ([unknown(videoMetadata={"fps": 1}), answer("one")], "one", ("stop",), 0),
    "text after its end": ([answer("one "), answer("two", reason=None)], "one two", ("stop",), 0),
    "an end that is said twice": ([answer("one"), answer("", reason="MAX_TOKENS")], "one", ("stop",), 0),
    "an end of an unknown kind": ([answer("one", reason="TIRED")], "one", ("TIRED",), 0),
    "a candidate that comes late": (
        [elsewhere("b", 1, "STOP"), elsewhere("a", 0, "MAX_TOKENS")],
        "a|b",
        ("length", "stop"),
        0,
    ),
}


@both
@pytest.mark.filterwarnings("ignore:TIRED is not a valid FinishReason")
@pytest.mark.parametrize(("chunks", "text", "reasons", "lost"), STREAMS.values(), ids=STREAMS)
def test_a_malformed_stream(
    content_spans: Spans,
    chunks: list[Any],
    text: str,
    reasons: tuple[str, ...] | None,
    lost: int,
    *,
    is_async: bool,
) -> None:
    """The span says what came, counts what was not understood, and every chunk is handed over."""
    before = drop_counts.totals().get(("content", "not_understood"), 0)
    got = ask(Wire([sse(*chunks)]), "stream", is_async=is_async)
    assert len(got) == len(chunks)
    assert drop_counts.totals().get(("content", "not_understood"), 0) == before + lost
    found = content_spans.attributes(SPAN)
    said = json.loads(str(found.get("gen_ai.output.messages", "[]")))
    assert "|".join("".join(part["content"] for part in message["parts"]) for message in said) == text
    assert found.get("gen_ai.response.finish_reasons") == reasons
    assert content_spans.ending(SPAN) == "completed"


@both
def test_a_stream_that_turns_into_an_error(content_spans: Spans, *, is_async: bool) -> None:
    """What the client raises in its midst is what the application gets, and the span says what came before."""
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    wire = Wire([sse(answer("one ", reason=None), error)])
    with pytest.raises(errors.ServerError):
        ask(wire, "stream", is_async=is_async)
    assert content_spans.ending(SPAN) == "ServerError"
    assert "one " in str(content_spans.attributes(SPAN)["gen_ai.output.messages"])
