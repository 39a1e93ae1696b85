"""How Gemini streams: through the client's models, and through its chats."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import Any

import httpx2
from google_wire import answer, client, sse
from stream_cases import Body, ProviderStream, transport

_ASKED: dict[str, Any] = {"model": "gemini-test", "contents": "hi"}


def _client(body: Body, *, is_async: bool) -> Any:
    return client(transport(httpx2, body, is_async=is_async), is_async=is_async)


async def _close(stream: Any) -> None:
    await stream.aclose()
    for _ in range(16):  # generators within generators are closed by tasks, one after the other
        gc.collect()
        await asyncio.sleep(0)


async def _chat_async(body: Body) -> Any:
    return await _client(body, is_async=True).chats.create(model="gemini-test").send_message_stream("hi")


_MODELS = ProviderStream(
    id="google-generate",
    provider="google",
    span="chat gemini-test",
    pieces=tuple(
        sse(answer(text, reason=reason)).encode()
        for text, reason in (("one ", None), ("two ", None), ("three", "STOP"))
    ),
    opening=1,
    text="one two three",
    said=lambda chunk: chunk.text or "",
    is_last=lambda chunk: chunk.candidates[0].finish_reason is not None,
    known=("gen_ai.response.id", "r1"),
    sync_stream=lambda body: _client(body, is_async=False).models.generate_content_stream(**_ASKED),
    async_stream=lambda body: _client(body, is_async=True).models.generate_content_stream(**_ASKED),
    async_plain=lambda body: _client(body, is_async=True).models.generate_content(**_ASKED),
    broken="ReadError",
    refused="ConnectError",
    is_context=False,
    async_close=_close,
    closed=("closed", "abandoned"),
    abandoned=("closed", "abandoned"),
    asks_at_once=False,
    begins_at_once=False,
)
_CHATS = replace(
    _MODELS,
    id="google-chat",
    sync_stream=lambda body: _client(body, is_async=False).chats.create(model="gemini-test").send_message_stream("hi"),
    async_stream=_chat_async,
)

STREAMS = (_MODELS, _CHATS)
