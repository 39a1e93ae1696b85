"""Google GenAI: an answer that the client has continued, request after request, is one answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import pytest
from ended_spans import Spans
from google_wire import USAGE, Wire, answer, ask, client, sse
from policies import bound, pattern, policy

from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("google_instrumented")

SPAN = "chat gemini-test"
SECRET = "123-45-6789"
both = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
ways = pytest.mark.parametrize("way", ["plain", "stream", "chat", "chat_stream"])


def checkpoint(*parts: Any, token: str, reason: str | None = None) -> dict[str, Any]:
    """An answer, or a chunk of one, from which the client can go on when it comes to no end."""
    made = answer(*parts, reason=reason)
    made["candidates"][0]["continuationToken"] = base64.b64encode(token.encode()).decode()
    return made


def wired(way: str, *bodies: dict[str, Any]) -> Wire:
    """Answers of one request after the other."""
    return Wire([sse(each) if "stream" in way else each for each in bodies])


def blocks(stage: Stage = Stage.OUTPUT, action: Action = Action.BLOCK) -> Any:
    return policy(bound("privacy", pattern(SECRET, stage=stage, reason="ssn"), action=action))


def test_the_client_goes_on_by_itself(spans: Spans) -> None:
    """Without us, a stream that ended early at a checkpoint is asked for again: there is something to be proved."""
    wire = Wire([sse(checkpoint("one ", token="a")), sse(answer("two"))])
    assert [chunk.text for chunk in ask(wire, "stream")] == ["one ", "two"]
    assert len(wire.requests) == 2


@both
@pytest.mark.parametrize("way", ["stream", "chat_stream"])
def test_a_stream_that_is_stopped_stays_stopped(way: str, *, is_async: bool) -> None:
    """The client does not take what the policy raises for a lost connection, and ask again from its checkpoint."""
    wire = Wire([sse(checkpoint("one ", token="a"), answer(f"it is {SECRET}")), sse(answer("and two"))])
    with recorded(blocks()) as record, pytest.raises(Blocked):
        ask(wire, way, is_async=is_async)
    assert len(wire.requests) == len(record.spans) == 1
    (decision,) = record.decisions
    assert decision["action"] == "block"


@both
@pytest.mark.parametrize("way", ["stream", "chat_stream"])
def test_a_stream_that_is_cut_ends_there(way: str, *, is_async: bool) -> None:
    """What comes in place of the chunk is the last, checkpoint or not."""
    wire = Wire([sse(checkpoint("one ", token="a"), checkpoint(SECRET, token="b")), sse(answer("and two"))])
    with recorded(blocks(action=Action.REDACT)):
        got = ask(wire, way, is_async=is_async)
    assert [chunk.text for chunk in got] == ["one ", "[redacted:ssn]"]
    assert len(wire.requests) == 1


@both
@ways
def test_what_is_said_across_requests_is_decided_whole(way: str, *, is_async: bool) -> None:
    """A violation that begins in one request's answer and ends in the next one's is found."""
    first, second = checkpoint(SECRET[:5], token="a", reason="CONTINUATION"), answer(SECRET[5:])
    wire = wired(way, first, second)
    with recorded(blocks()) as record, pytest.raises(Blocked):
        ask(wire, way, is_async=is_async)
    assert len(wire.requests) == 2
    assert len(record.spans) == len(record.decisions) == 1


@both
@ways
def test_one_span_says_all_of_it(content_spans: Spans, way: str, *, is_async: bool) -> None:
    """Text and usage are those of all requests, as the client adds them up; the last says why it stopped."""
    wire = wired(way, checkpoint("one ", token="a", reason="CONTINUATION"), answer("two"))
    ask(wire, way, is_async=is_async)
    found = content_spans.attributes(SPAN)
    (message,) = json.loads(str(found["gen_ai.output.messages"]))
    assert [part["content"] for part in message["parts"]] == ["one two"]
    assert found["gen_ai.response.finish_reasons"] == ("stop",)
    answered = USAGE["candidatesTokenCount"] + USAGE["thoughtsTokenCount"]
    assert found["gen_ai.usage.output_tokens"] == 2 * answered


@both
def test_what_is_redacted_across_requests(*, is_async: bool) -> None:
    """Of texts that follow each other the first says what stands in their place, and the others nothing."""
    wire = wired("plain", checkpoint("It is ", SECRET[:5], token="a", reason="CONTINUATION"), answer(SECRET[5:], "."))
    with recorded(blocks(action=Action.REDACT)):
        got = ask(wire, is_async=is_async)
    assert got.text == "It is [redacted:ssn]."


def test_a_connection_that_is_lost_after_a_checkpoint(content_spans: Spans) -> None:
    """The application sees one stream that came to its end, and so does the span."""
    asked = []

    class Lost(httpx2.SyncByteStream):
        def __iter__(self) -> Any:
            yield sse(checkpoint("one ", token="a")).encode()
            raise httpx2.ReadError("gone")

    def answered(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        body: Any = {"stream": Lost()} if len(asked) == 1 else {"text": sse(answer("two"))}
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, **body)

    made = client(httpx2.MockTransport(answered))
    stream = made.models.generate_content_stream(model="gemini-test", contents="hi")
    assert [chunk.text for chunk in stream] == ["one ", "two"]
    assert len(asked) == 2
    assert content_spans.ending(SPAN) == "completed"
    assert "one two" in str(content_spans.attributes(SPAN)["gen_ai.output.messages"])


@both
def test_asked_for_what_may_not_be_asked(*, is_async: bool) -> None:
    """An input that is stopped is decided once, and nothing is sent."""
    wire = Wire([sse(answer("ok"))])
    with recorded(blocks(Stage.INPUT)) as record, pytest.raises(Blocked):
        ask(wire, "stream", is_async=is_async, contents=SECRET)
    assert wire.requests == []
    assert len(record.decisions) == 1
