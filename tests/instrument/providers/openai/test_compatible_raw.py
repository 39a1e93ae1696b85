"""Groq's and Together's raw responses: decided like any other, and edited in what they are read from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import groq
import httpx
import pytest
import together
from openai_wire import chunks, completion, sse
from policies import bound, pattern, policy

import specspan
from specspan.decision import Action
from specspan.testing.memory import recorded

SECRET = "123-45-6789"
CLIENTS: dict[str, tuple[Any, Any]] = {
    "groq": (groq.Groq, groq.AsyncGroq),
    "together": (together.Together, together.AsyncTogether),
}
Read = Callable[[str, Any, bool], str]
"""What is said to whoever asks a provider that answers with a body, by a transport; streamed or not."""


@pytest.fixture(params=CLIENTS)
def provider(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each provider, instrumented."""
    specspan.instrument(request.param)
    yield request.param
    specspan.uninstrument()


def raw(name: str, transport: httpx.MockTransport, stream: bool) -> str:
    found = _resource(name, transport).with_raw_response.create(**_asked(stream)).parse()
    return _said(found if stream else [found])


def raw_async(name: str, transport: httpx.MockTransport, stream: bool) -> str:
    async def ask() -> str:
        answer = await _resource(name, transport, is_async=True).with_raw_response.create(**_asked(stream))
        found = await answer.parse()
        return _said([each async for each in found] if stream else [found])

    return asyncio.run(ask())


def streaming(name: str, transport: httpx.MockTransport, stream: bool) -> str:
    with _resource(name, transport).with_streaming_response.create(**_asked(stream)) as answer:
        return "\n".join(answer.iter_lines())


def streaming_async(name: str, transport: httpx.MockTransport, stream: bool) -> str:
    async def ask() -> str:
        asking = _resource(name, transport, is_async=True).with_streaming_response.create(**_asked(stream))
        async with asking as answer:
            return "\n".join([line async for line in answer.iter_lines()])

    return asyncio.run(ask())


def _resource(name: str, transport: httpx.MockTransport, *, is_async: bool = False) -> Any:
    http = (httpx.AsyncClient if is_async else httpx.Client)(transport=transport)
    return CLIENTS[name][is_async](api_key="test", http_client=http, max_retries=0).chat.completions


def _asked(stream: bool) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **({"stream": True} if stream else {})}


def _said(answers: Any) -> str:
    """Of a plain answer, or of the chunks of a stream."""
    choices = [choice for each in answers for choice in each.choices]
    return "".join((choice.delta if hasattr(choice, "delta") else choice.message).content or "" for choice in choices)


def _answering(body: Any) -> httpx.MockTransport:
    kind, text = ("text/event-stream", body) if isinstance(body, str) else ("application/json", json.dumps(body))
    return httpx.MockTransport(lambda request: httpx.Response(200, headers={"content-type": kind}, text=text))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("read", [raw, raw_async, streaming, streaming_async])
def test_an_edited_raw_response(provider: str, read: Read, stream: bool) -> None:
    """One span, and the redacted text in the object that is parsed and in the bytes that are read."""
    rule = policy(bound("privacy", pattern(r"\d{3}-\d{2}-\d{4}", reason="ssn"), action=Action.REDACT))
    body = sse(chunks("It is ", f"{SECRET}.")) if stream else completion(f"It is {SECRET}.")
    with recorded(rule) as record:
        said = read(provider, _answering(body), stream)
    assert "[redacted:ssn]" in said
    assert SECRET not in said
    (span,) = record.spans
    assert (span.attributes or {})["specspan.decision.verdict"] == "violated"
    assert (span.attributes or {})["gen_ai.response.id"] == "chatcmpl-1"


@pytest.mark.parametrize("read", [raw, raw_async, streaming, streaming_async])
def test_a_raw_response_that_is_as_it_should_be(provider: str, read: Read) -> None:
    """It says what the service said, and its span does, too."""
    with recorded() as record:
        assert "Hello." in read(provider, _answering(completion("Hello.")), False)
    (span,) = record.spans
    assert (span.attributes or {})["gen_ai.usage.input_tokens"] == 12
