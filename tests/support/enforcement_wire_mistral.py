"""Mistral's chat completions: the wire format, and the ways in which the ``mistralai`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from enforcement_http import Clients, Service
from enforcement_output import Output
from enforcement_table import WireFormat
from mistralai.client import Mistral, basesdk

_HTTP: Any = vars(basesdk)["httpx"]
ASKED: dict[str, Any] = {"model": "mistral-test", "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


def choice(content: Any, why: Any = "stop", index: Any = 0, **changes: Any) -> dict[str, Any]:
    """Return one choice of a body."""
    return {"index": index, "message": {"role": "assistant", "content": content, **changes}, "finish_reason": why}


def body(*choices: Any, **changes: Any) -> dict[str, Any]:
    """Return a body with these choices; a text is a choice of its own."""
    said = [choice(each) if isinstance(each, str) else each for each in choices]
    frame = {"id": "cmpl-1", "object": "chat.completion", "created": 1, "model": "mistral-test-2026"}
    return frame | {"choices": said, "usage": USAGE} | changes


def chunk(delta: Any = None, why: Any = None, index: Any = 0, **changes: Any) -> dict[str, Any]:
    """Return one chunk; a text is the content of its delta."""
    said = {"content": delta} if isinstance(delta, str) else {} if delta is None else delta
    frame = {"id": "cmpl-1", "model": "mistral-test-2026"}
    return frame | {"choices": [{"index": index, "delta": said, "finish_reason": why}]} | changes


def tool(name: Any = "search", arguments: Any = "{}", **changes: Any) -> dict[str, Any]:
    """Return a tool call."""
    return {"id": "c1", "function": {"name": name, "arguments": arguments}} | changes


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the chunks of an answer whose text comes in these pieces."""
    return (chunk({"role": "assistant", "content": ""}), *map(chunk, pieces), chunk("", "stop", usage=USAGE))


def choices(pieces: Sequence[tuple[int, str]]) -> tuple[dict[str, Any], ...]:
    """Return the chunks of an answer with several choices, whose texts come in these pieces."""
    ends = (chunk("", "stop", index) for index in sorted({index for index, _ in pieces}))
    return (*(chunk(piece, index=index) for index, piece in pieces), *ends)


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each chunk."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    return (*(f"data: {json.dumps(each)}\n\n".encode() for each in sends), b"data: [DONE]\n\n")


def _made(transport: Any, is_async: bool) -> Mistral:
    if is_async:
        return Mistral(api_key="k", async_client=_HTTP.AsyncClient(transport=transport))
    return Mistral(api_key="k", client=_HTTP.Client(transport=transport))


CLIENTS = Clients(_made, _HTTP)


def _plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(CLIENTS.client(service).chat.complete(**ASKED, **request))


async def _async(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await CLIENTS.client(service, is_async=True).chat.complete_async(**ASKED, **request))


def _stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in CLIENTS.client(service).chat.stream(**ASKED, **request):
        output.take(each)


async def _async_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    async for each in await CLIENTS.client(service, is_async=True).chat.stream_async(**ASKED, **request):
        output.take(each)


def _door(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    opened = CLIENTS.client(service).chat.stream(**ASKED, **request)
    output.take_bytes(opened.response.iter_lines())


def _parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(CLIENTS.client(service).chat.parse(**ASKED, **request))


WIRE = WireFormat(
    provider="mistral",
    encode=encode,
    modes={
        "plain": _plain,
        "async": _async,
        "stream": _stream,
        "async_stream": _async_stream,
        "door_lines": _door,
        "parse": _parse,
    },
    answer=body,
    stream=stream,
    choices=choices,
)
