"""How Cohere streams: events of its second API, and of its first, read in generators of the client's own."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import httpx
from cohere_wire import HI, client, events, first_events, lines, sse
from stream_cases import Body, ProviderStream, transport

_WORDS = ("one ", "two ", "three")


async def _close(stream: Any) -> None:
    await stream.aclose()
    for _ in range(16):  # generators within generators are closed by tasks, one after the other
        gc.collect()
        await asyncio.sleep(0)


def _stream(
    name: str, version: int, asked: Any, pieces: tuple[bytes, ...], *, opening: int, **told: Any
) -> ProviderStream:
    def made(body: Body, *, is_async: bool) -> Any:
        how = transport(httpx, body, is_async=is_async)
        return client(how, is_async=is_async, version=version)

    async def async_stream(body: Body) -> Any:
        return made(body, is_async=True).chat_stream(model="m", **asked)

    return ProviderStream(
        id=name,
        provider="cohere",
        span="chat m",
        pieces=pieces,
        opening=opening,
        text="".join(_WORDS),
        sync_stream=lambda body: made(body, is_async=False).chat_stream(model="m", **asked),
        async_stream=async_stream,
        async_plain=lambda body: made(body, is_async=True).chat(model="m", **asked),
        broken="ReadError",
        refused="ConnectError",
        is_context=False,
        async_close=_close,
        closed=("closed", "abandoned"),
        abandoned=("closed", "abandoned"),
        asks_at_once=False,
        begins_at_once=False,
        **told,
    )


def _encoded(write: Callable[..., str], found: list[dict[str, Any]]) -> tuple[bytes, ...]:
    return tuple(write(each).encode() for each in found)


def _said(event: Any) -> str:
    """The text in an event, wherever the one or the other API has it."""
    if event.type != "content-delta":
        return ""
    return event.delta.message.content.text or ""


STREAMS = (
    _stream(
        "cohere",
        2,
        {"messages": list(HI)},
        _encoded(sse, events(*_WORDS)),
        opening=3,
        said=_said,
        is_last=lambda event: event.type == "message-end",
        known=("gen_ai.response.id", "c-1"),
    ),
    _stream(
        "cohere-first",
        1,
        {"message": "hi"},
        _encoded(lines, first_events(*_WORDS)),
        opening=2,
        said=lambda event: event.text if event.event_type == "text-generation" else "",
        is_last=lambda event: event.event_type == "stream-end",
        known=("gen_ai.response.id", "g-1"),
    ),
)
