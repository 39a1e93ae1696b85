"""Ollama's chat and generate: the wire format, and the ways in which the ``ollama`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
from enforcement_http import Clients, Service
from enforcement_output import Output
from enforcement_table import WireFormat
from ollama import AsyncClient, Client

ASKED: dict[str, Any] = {"model": "llama", "messages": [{"role": "user", "content": "hi"}]}
COUNTS = {"prompt_eval_count": 3, "eval_count": 5}


def piece(content: Any = "", *, done: Any = False, why: Any = None, **message: Any) -> dict[str, Any]:
    """Return one piece of an answer."""
    said = {"role": "assistant", "content": content, **message}
    return {"model": "llama-2", "created_at": "2026-01-01T00:00:00Z", "message": said, "done": done} | (
        {"done_reason": why, **COUNTS} if done or why else {}
    )


def body(content: Any = "", **message: Any) -> dict[str, Any]:
    """Return a whole answer."""
    return piece(content, done=True, why="stop", **message)


def generated(content: Any, *, done: Any = False, **changes: Any) -> dict[str, Any]:
    """Return a piece of an answer to ``generate``."""
    frame = {"model": "llama-2", "created_at": "2026-01-01T00:00:00Z", "response": content, "done": done}
    return frame | ({"done_reason": "stop", **COUNTS} if done else {}) | changes


def tool(name: Any = "search", arguments: Any = None) -> dict[str, Any]:
    """Return a tool call."""
    return {"function": {"name": name, "arguments": {} if arguments is None else arguments}}


END = piece(done=True, why="stop")


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the pieces of an answer whose text comes in these pieces."""
    return (*map(piece, pieces), END)


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each piece as a line."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    return tuple(f"{json.dumps(each)}\n".encode() for each in sends)


CLIENTS = Clients(lambda transport, is_async: (AsyncClient if is_async else Client)(transport=transport), httpx)


def _plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(CLIENTS.client(service).chat(**ASKED, **request))


async def _async(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await CLIENTS.client(service, is_async=True).chat(**ASKED, **request))


def _stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in CLIENTS.client(service).chat(**ASKED, **request, stream=True):
        output.take(each)


async def _async_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    async for each in await CLIENTS.client(service, is_async=True).chat(**ASKED, **request, stream=True):
        output.take(each)


def _generate(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(CLIENTS.client(service).generate(model="llama", prompt="hi", **request))


def _generate_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in CLIENTS.client(service).generate(model="llama", prompt="hi", **request, stream=True):
        output.take(each)


WIRE = WireFormat(
    provider="ollama",
    encode=encode,
    modes={
        "plain": _plain,
        "async": _async,
        "stream": _stream,
        "async_stream": _async_stream,
        "generate": _generate,
        "generate_stream": _generate_stream,
    },
    answer=body,
    stream=stream,
)
