"""OpenAI's chat completions: the wire format, and the ways in which the ``openai`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from enforcement_http import Service, transport
from enforcement_output import Output
from enforcement_table import WireFormat
from http_libraries import openai_http
from openai import AsyncOpenAI, OpenAI

ASKED: dict[str, Any] = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}


def message(content: Any = None, **changes: Any) -> dict[str, Any]:
    """Return a body with one choice whose message has this content."""
    return body(choice({"role": "assistant", "content": content, "refusal": None, **changes}))


def choice(answer: Mapping[str, Any] | None, finish: Any = "stop", index: int = 0) -> dict[str, Any]:
    """Return one choice of a body."""
    return {"index": index, "message": answer, "logprobs": None, "finish_reason": finish}


def body(*choices: Any, **changes: Any) -> dict[str, Any]:
    """Return a body with these choices."""
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    frame = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-test-2026"}
    return frame | {"choices": list(choices), "usage": usage} | changes


def chunk(delta: Any = None, finish: Any = None, index: Any = 0, **changes: Any) -> dict[str, Any]:
    """Return one chunk with one delta."""
    frame = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-test-2026"}
    choices = [{"index": index, "delta": {} if delta is None else delta, "logprobs": None, "finish_reason": finish}]
    return frame | {"choices": choices, "usage": None} | changes


def text(content: Any, finish: Any = None, index: Any = 0) -> dict[str, Any]:
    """Return one chunk with a piece of content."""
    return chunk({"content": content}, finish, index)


def call(arguments: Any = None, name: Any = None, index: Any = 0, id_: Any = None, **changes: Any) -> dict[str, Any]:
    """Return one chunk with a piece of a tool call."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    piece = {"index": index, "type": "function", "function": function} | ({} if id_ is None else {"id": id_})
    return chunk({"tool_calls": [piece | changes]})


def stream(*pieces: str, finish: Any = "stop") -> tuple[dict[str, Any], ...]:
    """Return the chunks of a whole answer whose text comes in these pieces."""
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    said = (text(piece) for piece in pieces)
    return (text("") | {}, *said, chunk(finish=finish), chunk(choices=[], usage=usage))


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each chunk as a server-sent event."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    events = (each if isinstance(each, bytes) else f"data: {json.dumps(each)}\n\n".encode() for each in sends)
    return (*events, b"data: [DONE]\n\n")


def _client(service: Service) -> OpenAI:
    http = openai_http.Client(transport=transport(openai_http, service))
    return OpenAI(api_key="test", http_client=http, max_retries=0)


def _async_client(service: Service) -> AsyncOpenAI:
    http = openai_http.AsyncClient(transport=transport(openai_http, service))
    return AsyncOpenAI(api_key="test", http_client=http, max_retries=0)


def _plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(_client(service).chat.completions.create(**ASKED, **request))


async def _async(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await _async_client(service).chat.completions.create(**ASKED, **request))


def _stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in _client(service).chat.completions.create(**ASKED, **request, stream=True):
        output.take(each)


async def _async_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    async for each in await _async_client(service).chat.completions.create(**ASKED, **request, stream=True):
        output.take(each)


def _raw(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    raw = _client(service).chat.completions.with_raw_response.create(**ASKED, **request)
    output.take(raw.text)
    output.take(raw.content)
    output.take(raw.http_response.content)
    output.take(raw.parse())


def _streaming_response(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    completions = _client(service).chat.completions
    with completions.with_streaming_response.create(**ASKED, **request) as answer:
        output.take_bytes(answer.iter_bytes())


def _raw_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    raw = _client(service).chat.completions.with_raw_response.create(**ASKED, **request, stream=True)
    for each in raw.parse():
        output.take(each)


def _raw_stream_bytes(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    raw = _client(service).chat.completions.with_raw_response.create(**ASKED, **request, stream=True)
    output.take_bytes(raw.http_response.iter_bytes())


def _streaming_response_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    completions = _client(service).chat.completions
    with completions.with_streaming_response.create(**ASKED, **request, stream=True) as answer:
        output.take_bytes(answer.iter_lines())


def _door(read: str, service: Service, output: Output, request: Mapping[str, Any]) -> None:
    """Read the response below a stream."""
    opened = _client(service).chat.completions.create(**ASKED, **request, stream=True)
    output.take_bytes(getattr(opened.response, read)())


async def _async_door(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    opened = await _async_client(service).chat.completions.create(**ASKED, **request, stream=True)
    lines = []
    try:
        async for line in opened.response.aiter_lines():
            lines.append(line)  # noqa: PERF401  # an error keeps the lines before it
    finally:
        output.take_bytes(lines)


def _helper(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    with _client(service).chat.completions.stream(**ASKED, **request) as opened:
        for event in opened:
            output.take(event)
        output.take(opened.get_final_completion())


def _parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(_client(service).chat.completions.parse(**ASKED, **request))


async def _async_parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await _async_client(service).chat.completions.parse(**ASKED, **request))


WIRE = WireFormat(
    provider="openai",
    encode=encode,
    modes={
        "plain": _plain,
        "async": _async,
        "stream": _stream,
        "async_stream": _async_stream,
        "raw": _raw,
        "raw_stream": _raw_stream,
        "raw_stream_bytes": _raw_stream_bytes,
        "streaming_response": _streaming_response,
        "streaming_response_stream": _streaming_response_stream,
        "door_lines": partial(_door, "iter_lines"),
        "door_bytes": partial(_door, "iter_bytes"),
        "door_raw": partial(_door, "iter_raw"),
        "async_door": _async_door,
        "helper": _helper,
        "parse": _parse,
        "async_parse": _async_parse,
    },
    answer=message,
    stream=stream,
    more_plain_modes=("raw", "streaming_response", "parse", "async_parse"),
    more_stream_modes=("raw_stream", "streaming_response_stream", "helper"),
)
