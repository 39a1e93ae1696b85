"""Google's Gemini API: the wire format, and the ways in which the ``google-genai`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
from enforcement_http import Clients, Service
from enforcement_output import Output
from enforcement_table import WireFormat
from google import genai

ASKED: dict[str, Any] = {"model": "gemini-test", "contents": "hi"}
USAGE = {"promptTokenCount": 3, "candidatesTokenCount": 5, "totalTokenCount": 8}


def candidate(*parts: Any, why: Any = "STOP", index: Any = None, **changes: Any) -> dict[str, Any]:
    """Return a candidate with these parts; a text is a part of its own."""
    said = [{"text": each} if isinstance(each, str) else each for each in parts]
    made: dict[str, Any] = {"content": {"role": "model", "parts": said}}
    return made | ({"finishReason": why} if why else {}) | ({} if index is None else {"index": index}) | changes


def body(*candidates: Any, **changes: Any) -> dict[str, Any]:
    """Return a body, or a chunk of one, with these candidates."""
    frame = {"modelVersion": "gemini-test-001", "responseId": "r1", "usageMetadata": USAGE}
    return {"candidates": list(candidates)} | frame | changes


def chunk(*parts: Any, why: Any = None, **more: Any) -> dict[str, Any]:
    """Return one chunk with one candidate."""
    return body(candidate(*parts, why=why, **more))


def tool(name: Any = "search", **arguments: Any) -> dict[str, Any]:
    """Return a part that calls a function."""
    return {"functionCall": {"name": name, "args": arguments}}


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the chunks of an answer whose text comes in these pieces."""
    return (*(chunk(piece) for piece in pieces), chunk("", why="STOP"))


def choices(pieces: Sequence[tuple[int, str]]) -> tuple[dict[str, Any], ...]:
    """Return the chunks of an answer with several candidates, whose texts come in these pieces."""
    ends = (chunk("", why="STOP", index=index) for index in sorted({index for index, _ in pieces}))
    return (*(chunk(piece, index=index) for index, piece in pieces), *ends)


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each chunk."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    return tuple(f"data: {json.dumps(each)}\r\n\r\n".encode() for each in sends)


def _made(transport: Any, is_async: bool) -> Any:
    kind, name = (httpx2.AsyncClient, "httpx_async_client") if is_async else (httpx2.Client, "httpx_client")
    options: Any = {name: kind(transport=transport)}
    made = genai.Client(api_key="k", http_options=options)
    return made.aio if is_async else made


CLIENTS = Clients(_made, httpx2)


def _asked(request: Mapping[str, Any]) -> dict[str, Any]:
    return {**ASKED, **request}


def _plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    answer = CLIENTS.client(service).models.generate_content(**_asked(request))
    output.take(answer)


async def _async(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await CLIENTS.client(service, is_async=True).models.generate_content(**_asked(request)))


def _stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in CLIENTS.client(service).models.generate_content_stream(**_asked(request)):
        output.take(each)


async def _async_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    models = CLIENTS.client(service, is_async=True).models
    async for each in await models.generate_content_stream(**_asked(request)):
        output.take(each)


def _chat(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    chat = CLIENTS.client(service).chats.create(model="gemini-test", **request)
    output.take(chat.send_message("hi"))
    output.take({"history": chat.get_history()})


def _chat_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    chat = CLIENTS.client(service).chats.create(model="gemini-test", **request)
    try:
        for each in chat.send_message_stream("hi"):
            output.take(each)
    finally:
        output.take({"history": chat.get_history()[1:]})


WIRE = WireFormat(
    provider="google",
    encode=encode,
    modes={
        "plain": _plain,
        "async": _async,
        "stream": _stream,
        "async_stream": _async_stream,
        "chat": _chat,
        "chat_stream": _chat_stream,
    },
    answer=lambda text: body(candidate(text)),
    stream=stream,
    is_text=lambda place: "parts" in place and place[-1] == "text",
    choices=choices,
    more_plain_modes=("chat",),
    more_stream_modes=("chat_stream",),
)
