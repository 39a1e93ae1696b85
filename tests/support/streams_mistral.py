"""How Mistral streams: events, each with a chunk in the shape of chat completions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx2
from mistral_wire import HI, chunk, client, sse
from openai_wire import response_events, typed_sse
from stream_cases import Body, ProviderStream, transport

_ASKED: dict[str, Any] = {"model": "m", "messages": list(HI)}
_FILLED: dict[str, Any] = {"model": "m", "prompt": "def f("}
_DELTAS = (({"role": "assistant", "content": ""}, None), ({"content": "one "}, None), ({"content": "two "}, None))
_PIECES = tuple(
    f"{event}\n\n".encode()
    for event in sse(*(chunk(delta, reason) for delta, reason in _DELTAS), chunk({"content": "three"}, "stop")).split(
        "\n\n"
    )
    if event
)


def _client(body: Body, *, is_async: bool) -> Any:
    return client(transport(httpx2, body, is_async=is_async), is_async=is_async)


_CHAT = ProviderStream(
    id="mistral",
    provider="mistral",
    span="chat m",
    pieces=_PIECES,
    opening=2,
    text="one two three",
    said=lambda event: event.data.choices[0].delta.content or "",
    is_last=lambda event: event.data.choices[0].finish_reason is not None,
    known=("gen_ai.response.id", "cmpl-1"),
    sync_stream=lambda body: _client(body, is_async=False).chat.stream(**_ASKED),
    async_stream=lambda body: _client(body, is_async=True).chat.stream_async(**_ASKED),
    async_plain=lambda body: _client(body, is_async=True).chat.complete_async(**_ASKED),
    broken="ReadError",
    refused="ConnectError",
)
_FIM = replace(
    _CHAT,
    id="mistral-fim",
    span="text_completion m",
    sync_stream=lambda body: _client(body, is_async=False).fim.stream(**_FILLED),
    async_stream=lambda body: _client(body, is_async=True).fim.stream_async(**_FILLED),
    async_plain=lambda body: _client(body, is_async=True).fim.complete_async(**_FILLED),
)

_RESPONSES = replace(
    _CHAT,
    id="mistral-responses",
    pieces=tuple(
        f"{event}\n\n".encode() for event in typed_sse(response_events("one ", "two ", "three")).split("\n\n") if event
    ),
    opening=5,
    said=lambda frame: frame.data.delta if frame.event == "response.output_text.delta" else "",
    is_last=lambda frame: frame.event == "response.completed",
    known=("gen_ai.response.id", "resp_1"),
    sync_stream=lambda body: _client(body, is_async=False).responses.create(model="m", input="hi", stream=True),
    async_stream=lambda body: _client(body, is_async=True).responses.create_async(model="m", input="hi", stream=True),
    async_plain=lambda body: _client(body, is_async=True).responses.create_async(model="m", input="hi"),
)

STREAMS = (_CHAT, _FIM, _RESPONSES)
