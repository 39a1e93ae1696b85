"""How OpenAI's chat completions and its Responses API stream."""

from __future__ import annotations

from typing import Any

from http_libraries import openai_http
from openai import AsyncOpenAI, OpenAI
from openai_wire import chunks, is_last, response_events, sse, text_in, typed_sse
from stream_cases import ProviderStream, clients

_ASKED: dict[str, Any] = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}
_PIECES = tuple(f"{event}\n\n".encode() for event in sse(chunks("one ", "two ", "three")).split("\n\n") if event)
_INPUT: dict[str, Any] = {"model": "gpt-test", "input": "hi"}
_EVENTS = tuple(
    f"{event}\n\n".encode() for event in typed_sse(response_events("one ", "two ", "three")).split("\n\n") if event
)


_sync_client, _async_client = clients(openai_http, OpenAI, AsyncOpenAI)
_BROKEN = "APIConnectionError" if openai_http.__name__ == "httpx2" else "ReadError"

STREAMS = (
    ProviderStream(
        id="openai-chat",
        provider="openai",
        span="chat gpt-test",
        pieces=_PIECES,
        opening=2,
        text="one two three",
        said=text_in,
        is_last=is_last,
        known=("gen_ai.response.id", "chatcmpl-1"),
        sync_stream=lambda body: _sync_client(body).chat.completions.create(**_ASKED, stream=True),
        broken=_BROKEN,
        async_stream=lambda body: _async_client(body).chat.completions.create(**_ASKED, stream=True),
        async_plain=lambda body: _async_client(body).chat.completions.create(**_ASKED),
    ),
    ProviderStream(
        id="openai-responses",
        provider="openai",
        span="chat gpt-test",
        pieces=_EVENTS,
        opening=5,
        text="one two three",
        said=lambda event: event.delta if event.type == "response.output_text.delta" else "",
        is_last=lambda event: event.type == "response.completed",
        known=("gen_ai.response.id", "resp_1"),
        sync_stream=lambda body: _sync_client(body).responses.create(**_INPUT, stream=True),
        broken=_BROKEN,
        async_stream=lambda body: _async_client(body).responses.create(**_INPUT, stream=True),
        async_plain=lambda body: _async_client(body).responses.create(**_INPUT),
    ),
)
