"""Cohere's second API: the wire format, and the ways in which the ``cohere`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import cohere
import httpx
from enforcement_http import Clients, Service
from enforcement_output import Output
from enforcement_table import WireFormat

ASKED: dict[str, Any] = {"model": "command-test", "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"billed_units": {"input_tokens": 3, "output_tokens": 5}, "tokens": {"input_tokens": 3, "output_tokens": 5}}


def body(*content: Any, why: Any = "COMPLETE", usage: Any = USAGE, **message: Any) -> dict[str, Any]:
    """Return a body with these blocks; a text is a block of its own."""
    blocks = [{"type": "text", "text": each} if isinstance(each, str) else each for each in content]
    said = {"role": "assistant", "content": blocks, **message}
    return {"id": "c-1", "finish_reason": why, "message": said, "usage": usage}


def event(kind: Any, index: Any = None, **message: Any) -> dict[str, Any]:
    """Return an event with a delta of the message."""
    made = {"type": kind} | ({} if index is None else {"index": index})
    return made | ({"delta": {"message": message}} if message else {})


def start(index: Any = 0, text: Any = "") -> dict[str, Any]:
    """Return the event that starts a block."""
    return event("content-start", index, content={"type": "text", "text": text})


def text(piece: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event of a piece of text."""
    return event("content-delta", index, content={"text": piece})


def tool(name: Any = "search", arguments: Any = "{}", id_: str = "t1") -> dict[str, Any]:
    """Return a tool call."""
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


BEGIN: dict[str, Any] = {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}}


def end(why: Any = "COMPLETE", usage: Any = USAGE) -> dict[str, Any]:
    """Return the event that ends the message."""
    return {"type": "message-end", "delta": {"finish_reason": why, "usage": usage}}


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the events of an answer whose text comes in these pieces."""
    return (BEGIN, start(), *map(text, pieces), event("content-end", 0), end())


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each event."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    return tuple(f"event: {_name(each)}\ndata: {json.dumps(each)}\n\n".encode() for each in sends)


def _name(event: Any) -> Any:
    return event["type"] if isinstance(event, dict) else "content-delta"


def _made(transport: Any, is_async: bool) -> Any:
    kind: Any = cohere.AsyncClientV2 if is_async else cohere.ClientV2
    http: Any = httpx.AsyncClient if is_async else httpx.Client
    return kind(api_key="k", httpx_client=http(transport=transport), max_retries=0)


CLIENTS = Clients(_made, httpx)


def _plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(CLIENTS.client(service).chat(**ASKED, **request))


async def _async(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await CLIENTS.client(service, is_async=True).chat(**ASKED, **request))


def _stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in CLIENTS.client(service).chat_stream(**ASKED, **request):
        output.take(each)


async def _async_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    async for each in CLIENTS.client(service, is_async=True).chat_stream(**ASKED, **request):
        output.take(each)


def _raw(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(CLIENTS.client(service).with_raw_response.chat(**ASKED, **request).data)


def _raw_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    with CLIENTS.client(service).with_raw_response.chat_stream(**ASKED, **request) as raw:
        for each in raw.data:
            output.take(each)


def _door(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    with CLIENTS.client(service).with_raw_response.chat_stream(**ASKED, **request) as raw:
        output.take_bytes(raw._response.iter_lines())


WIRE = WireFormat(
    provider="cohere",
    encode=encode,
    modes={
        "plain": _plain,
        "async": _async,
        "stream": _stream,
        "async_stream": _async_stream,
        "raw": _raw,
        "raw_stream": _raw_stream,
        "door_lines": _door,
    },
    answer=body,
    stream=stream,
    is_text=lambda place: ("type", "content-delta") in place and place[-1] == "text",
    more_plain_modes=("raw",),
    more_stream_modes=("raw_stream",),
)
