"""`with_streaming_response`: the application reads the body itself, and what it reads was looked at first."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from ended_spans import Spans
from http_libraries import openai_http
from openai import AsyncOpenAI, OpenAI
from openai_wire import chunk, chunks, completion, response, response_events, sse, typed_sse
from policies import bound, pattern, policy

from specspan.decision import Action, Mode
from specspan.errors import Blocked
from specspan.policy.policy import Policy
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SPAN = "chat gpt-test"
SECRET = "123-45-6789"
CHAT = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}
Opened = Callable[..., Any]


class Pieces(openai_http.SyncByteStream, openai_http.AsyncByteStream):
    """A body that comes in pieces which end anywhere."""

    def __init__(self, body: bytes, size: int) -> None:
        self.pieces = [body[at : at + size] for at in range(0, len(body), size)]
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def answering(body: Pieces, headers: Sequence[tuple[str, str]]) -> openai_http.MockTransport:
    return openai_http.MockTransport(lambda request: openai_http.Response(200, headers=list(headers), stream=body))


def opened_sync(
    body: Pieces, read: Callable[[Any], Any], resource: str, headers: Sequence[tuple[str, str]], **parameters: Any
) -> Any:
    http = openai_http.Client(transport=answering(body, headers))
    with OpenAI(api_key="test", http_client=http, max_retries=0) as client:
        with _resource(client, resource).with_streaming_response.create(**parameters) as answer:
            found = read(answer)
            return list(found) if isinstance(found, Iterator) else found


def opened_async(
    body: Pieces, read: Callable[[Any], Any], resource: str, headers: Sequence[tuple[str, str]], **parameters: Any
) -> Any:
    async def main() -> Any:
        http = openai_http.AsyncClient(transport=answering(body, headers))
        async with AsyncOpenAI(api_key="test", http_client=http, max_retries=0) as client:
            async with _resource(client, resource).with_streaming_response.create(**parameters) as answer:
                found = read(answer)
                return [each async for each in found] if hasattr(found, "__aiter__") else await found

    return asyncio.run(main())


def _resource(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


@pytest.fixture(params=[opened_sync, opened_async], ids=["sync", "async"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Opens a response and reads it: bytes, text or lines are joined."""

    def opened(
        body: str | dict[str, Any],
        read: str = "iter_bytes",
        *,
        resource: str = "chat.completions",
        size: int = 7,
        headers: Sequence[tuple[str, str]] = (),
        packed: Callable[[bytes], bytes] = bytes,
        **parameters: Any,
    ) -> Any:
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/event-stream" if isinstance(body, str) else "application/json"
        wire = Pieces(packed(text.encode()), size)
        given = CHAT if resource.startswith("chat") else {"model": "gpt-test", "input": "hi"}
        found = request.param(
            wire,
            lambda answer: getattr(answer, read)(),
            resource,
            [("content-type", kind), *headers],
            **{**given, **parameters},
        )
        assert wire.closed
        if read in ("iter_bytes", "iter_text"):
            return (b"" if read == "iter_bytes" else "").join(found)
        return found

    return opened


def rule(action: Action, mode: Mode = Mode.ENFORCE) -> Policy:
    check = pattern(r"\d{3}-\d{2}-\d{4}", reason="ssn")
    return policy(bound("privacy", check, action=action, replacement="(withheld)"), mode=mode)


READS = {
    "read": lambda found: json.loads(found)["id"],
    "json": lambda found: found["id"],
    "text": lambda found: json.loads(found)["id"],
    "parse": lambda found: found.id,
    "iter_bytes": lambda found: json.loads(found)["id"],
    "iter_text": lambda found: json.loads(found)["id"],
    "iter_lines": lambda found: json.loads("".join(found))["id"],
}


@pytest.mark.parametrize("read", READS)
def test_a_plain_body_is_known_however_it_is_read(opened: Opened, spans: Spans, read: str) -> None:
    """The span says what the body says, and the application reads it as ever."""
    assert READS[read](opened(completion(), read)) == "chatcmpl-1"
    attributes = spans.attributes(SPAN)
    assert attributes["gen_ai.response.id"] == "chatcmpl-1"
    assert attributes["gen_ai.usage.input_tokens"] == 12
    assert spans.ending(SPAN) == "completed"


@pytest.mark.parametrize("resource", ["responses", "embeddings"])
def test_other_plain_bodies(opened: Opened, spans: Spans, resource: str) -> None:
    """So it is with every method there is."""
    embedded = {"object": "list", "model": "gpt-test-2026", "data": [], "usage": {"prompt_tokens": 12}}
    opened(response("hello") if resource == "responses" else embedded, resource=resource)
    (span,) = spans.all
    assert (span.attributes or {})["gen_ai.usage.input_tokens"] == 12


@pytest.mark.parametrize("way", ["read", "raw"])
@pytest.mark.parametrize("action", [None, Action.REDACT])
@pytest.mark.parametrize("opened", [opened_sync, opened_async], ids=["sync", "async"])
def test_a_response_is_open_until_it_was_read(opened: Opened, action: Action | None, way: str) -> None:
    """It was read to be decided, which nobody can tell: it is read in every way, as any body is."""
    seen: list[tuple[Any, bool]] = []

    def read(answer: Any) -> Any:
        seen.append((answer, answer.is_closed))
        raw = "iter_raw" if opened is opened_sync else "aiter_raw"
        return answer.read() if way == "read" else getattr(answer.http_response, raw)()

    body = Pieces(json.dumps(completion(SECRET)).encode(), 7)
    with recorded(action and rule(action)):
        found = opened(body, read, "chat.completions", [("content-type", "application/json")], **CHAT)
    if way == "raw":
        found = b"".join(found)
    ((answer, was_closed),) = seen
    assert json.loads(found)["id"] == "chatcmpl-1"
    assert (SECRET in found.decode()) == (action is None)
    assert (was_closed, answer.is_closed, body.closed) == (False, True, True)


STREAM = ": hello\n\n" + sse(chunks("hel", "lo 🙂"))


@pytest.mark.parametrize("size", [1, 7, 100_000])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_streamed_body_passes_byte_for_byte(opened: Opened, spans: Spans, size: int, newline: str) -> None:
    """Comments and the last word included, wherever its pieces end; the span says what a stream's does."""
    body = STREAM.replace("\n", newline)
    assert opened(body, size=size, stream=True) == body.encode()
    attributes = spans.attributes(SPAN)
    assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
    assert attributes["gen_ai.usage.output_tokens"] == 5
    assert 0 < attributes["gen_ai.response.time_to_first_chunk"] < 60
    assert spans.ending(SPAN) == "completed"


def test_a_streamed_body_that_is_compressed(opened: Opened, spans: Spans) -> None:
    """The application reads what it would have read."""
    found = opened(STREAM, "iter_text", stream=True, headers=[("content-encoding", "deflate")], packed=zlib.compress)
    assert found == STREAM
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_streamed_body_of_the_responses_api(opened: Opened, spans: Spans) -> None:
    """Its events have names."""
    body = typed_sse(response_events("hel", "lo"))
    assert opened(body, resource="responses", stream=True) == body.encode()
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_streamed_body_that_is_parsed(spans: Spans) -> None:
    """The client's own stream over the body gives the chunks it would have given."""
    http = openai_http.Client(transport=answering(Pieces(STREAM.encode(), 7), [("content-type", "text/event-stream")]))
    with OpenAI(api_key="test", http_client=http) as client:
        create: Any = client.chat.completions.with_streaming_response.create
        with create(**CHAT, stream=True) as answer:
            read = list(answer.parse())
            assert answer.headers["content-type"] == "text/event-stream"
    assert "".join(each.choices[0].delta.content or "" for each in read if each.choices) == "hello 🙂"
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("stop",)


def test_a_streamed_body_that_nobody_reads(spans: Spans) -> None:
    """Leaving the block closes the connection and the call."""
    body = Pieces(STREAM.encode(), 7)
    opened_sync(
        body, lambda answer: None, "chat.completions", [("content-type", "text/event-stream")], **CHAT, stream=True
    )
    assert body.closed
    assert spans.ending(SPAN) == "closed"


def test_errors_in_a_streamed_body(opened: Opened, spans: Spans) -> None:
    """What is no chunk passes, and half a chunk at the end does not: it is no event."""
    odd = 'data: {"error": {"message": "no"}}\n\ndata: what\n\n'
    assert opened(odd + sse(chunks("hello"))[: -len("data: [DONE]\n\n")] + 'data: {"id', stream=True).decode() == (
        odd + sse(chunks("hello"))[: -len("data: [DONE]\n\n")]
    )
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("stop",)


@pytest.mark.parametrize("read", ["read", "iter_bytes", "iter_lines", "parse"])
def test_a_blocked_plain_body(opened: Opened, read: str) -> None:
    """Nothing of an answer that is blocked can be read."""
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(Blocked):
        opened(completion(f"It is {SECRET}."), read)
    assert [decision["action"] for decision in record.decisions] == ["block"]


@pytest.mark.parametrize("read", ["read", "iter_bytes", "parse"])
def test_an_edited_plain_body(opened: Opened, read: str) -> None:
    """What was taken out is in no form of it."""
    with recorded(rule(Action.REDACT)):
        found = opened(completion(f"It is {SECRET}."), read)
    text = found.to_json() if read == "parse" else found.decode()
    assert SECRET not in text
    assert "It is [redacted:ssn]." in text


def test_a_blocked_streamed_body(opened: Opened) -> None:
    """The event that completes a violation is not handed over, in no part."""
    with recorded(rule(Action.BLOCK)), pytest.raises(Blocked):
        opened(sse(chunks("It is 12", "3-45-6789", ".")), size=1, stream=True)


def test_a_cut_streamed_body(opened: Opened) -> None:
    """It ends with events such as the service would send."""
    with recorded(rule(Action.REDACT)) as record:
        chat = opened(sse(chunks("It is 123-", "45-6789", " and so on")), stream=True).decode()
        events = typed_sse(response_events("It is 123-", "45-6789", " and so on"))
        responses = opened(events, resource="responses", stream=True).decode()
    assert SECRET[4:] not in chat + responses
    *_, last, done, empty = chat.split("\n\n")
    cut = json.loads(last.removeprefix("data: "))["choices"][0]
    assert (cut["delta"]["content"], cut["finish_reason"]) == ("[redacted:ssn]", "content_filter")
    assert (done, empty) == ("data: [DONE]", "")
    *_, words, incomplete, empty = responses.split("\n\n")
    assert words.startswith("event: response.output_text.delta\ndata: {")
    assert json.loads(words.partition("data: ")[2])["delta"] == "[redacted:ssn]"
    assert json.loads(incomplete.partition("data: ")[2])["response"]["status"] == "incomplete"
    assert [decision["stream"]["released_chars"] for decision in record.decisions] == [10, 10]


def test_observing_changes_nothing_in_a_body(opened: Opened) -> None:
    """In observe mode a violation passes byte for byte, and is recorded."""
    body = sse([*chunks("It is ", SECRET), chunk()])
    with recorded(rule(Action.BLOCK, Mode.OBSERVE)) as record:
        assert opened(body, stream=True) == body.encode()
        assert json.loads(opened(completion(SECRET)))["choices"][0]["message"]["content"] == SECRET
    assert [decision["would"] for decision in record.decisions] == ["block", "block"]
