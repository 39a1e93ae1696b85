"""How Ollama streams: a line of JSON for each piece, out of a generator."""

from __future__ import annotations

import json
from operator import methodcaller
from typing import Any

import httpx
from ollama import AsyncClient, Client
from stream_cases import Body, ProviderStream, transport

_ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def _piece(text: str, **more: Any) -> bytes:
    piece = {"model": "m-2", "created_at": "", "message": {"role": "assistant", "content": text}, "done": False, **more}
    return json.dumps(piece).encode() + b"\n"


def _sync_client(body: Body) -> Client:
    return Client(transport=transport(httpx, body, is_async=False))


def _async_client(body: Body) -> AsyncClient:
    return AsyncClient(transport=transport(httpx, body, is_async=True))


STREAMS = (
    ProviderStream(
        id="ollama",
        provider="ollama",
        span="chat m",
        pieces=(_piece("one "), _piece("two "), _piece("three"), _piece("", done=True, done_reason="stop")),
        opening=1,
        text="one two three",
        said=lambda chunk: chunk.message.content or "",
        is_last=lambda chunk: bool(chunk.done),
        known=("gen_ai.response.model", "m-2"),
        sync_stream=lambda body: _sync_client(body).chat(**_ASKED, stream=True),
        async_stream=lambda body: _async_client(body).chat(**_ASKED, stream=True),
        async_plain=lambda body: _async_client(body).chat(**_ASKED),
        broken="ReadError",
        refused="ConnectError",
        is_context=False,
        asks_at_once=False,
        async_close=methodcaller("aclose"),
    ),
)
