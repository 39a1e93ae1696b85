"""Clients that validate answers, and answers that are not valid: who reads the bytes himself is told nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from http_libraries import openai_http
from openai import OpenAI
from openai_wire import chunk, completion, sse
from policies import bound, pattern, policy

from specspan.decision import Action, Mode
from specspan.errors import Blocked
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

CHAT: dict[str, Any] = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}
NO_WORDS = policy(bound("no_words", pattern("FORBIDDEN"), action=Action.BLOCK), mode=Mode.ENFORCE)


def invalid(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body without a field that its type requires."""
    return {name: value for name, value in body.items() if name != "created"}


def read(body: str | dict[str, Any], **parameters: Any) -> str:
    """Return the body as an application reads it that has a strict client."""
    text = body if isinstance(body, str) else json.dumps(body)
    kind = "text/event-stream" if isinstance(body, str) else "application/json"
    transport = openai_http.MockTransport(
        lambda request: openai_http.Response(200, headers={"content-type": kind}, content=text.encode())
    )
    http = openai_http.Client(transport=transport)
    with OpenAI(api_key="test", http_client=http, max_retries=0, _strict_response_validation=True) as client:
        with client.chat.completions.with_streaming_response.create(**CHAT, **parameters) as answer:
            return b"".join(answer.iter_bytes()).decode()


def streamed(*pieces: str) -> str:
    return sse([invalid(chunk({"content": piece})) for piece in pieces])


def test_a_body_that_is_not_valid_is_read_and_decided() -> None:
    """The application has its bytes, and a clause that they violate stops the call."""
    body = invalid(completion("hello"))
    with recorded(NO_WORDS):
        assert json.loads(read(body)) == body
        with pytest.raises(Blocked):
            read(invalid(completion("It is FORBIDDEN.")))


def test_events_that_are_not_valid_are_read_and_decided() -> None:
    """Texts of several events are joined as ever."""
    with recorded(NO_WORDS):
        assert read(streamed("hel", "lo"), stream=True) == streamed("hel", "lo")
        with pytest.raises(Blocked):
            read(streamed("FORB", "IDDEN"), stream=True)
