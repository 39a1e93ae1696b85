"""OpenAI's chat completions: the wire format, and the ways in which the ``openai`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from enforcement_http import Service
from enforcement_output import Output
from enforcement_stainless import PLAIN, STREAMED, Resource
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


def choices(pieces: Sequence[tuple[int, str]]) -> tuple[dict[str, Any], ...]:
    """Return the chunks of an answer with several choices, whose texts come in these pieces."""
    ends = (chunk(finish="stop", index=index) for index in sorted({index for index, _ in pieces}))
    return (*(text(piece, index=index) for index, piece in pieces), *ends)


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each chunk as a server-sent event."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    events = (each if isinstance(each, bytes) else f"data: {json.dumps(each)}\n\n".encode() for each in sends)
    return (*events, b"data: [DONE]\n\n")


RESOURCE = Resource(openai_http, OpenAI, AsyncOpenAI, "chat.completions", ASKED, "/chat/completions")


def _helper(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    with RESOURCE.sync(service).stream(**ASKED, **request) as opened:
        for event in opened:
            output.take(event)
        output.take(opened.get_final_completion())


def _parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(RESOURCE.sync(service).parse(**ASKED, **request))


async def _async_parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await RESOURCE.later(service).parse(**ASKED, **request))


FETCHED = {
    **RESOURCE.fetched("retrieve", "chatcmpl-1"),
    **RESOURCE.fetched("update", "chatcmpl-1", metadata={"seen": "yes"}),
}


WIRE = WireFormat(
    provider="openai",
    encode=encode,
    modes={
        **RESOURCE.modes(),
        "helper": _helper,
        "parse": _parse,
        "async_parse": _async_parse,
        **FETCHED,
    },
    answer=message,
    stream=stream,
    choices=choices,
    more_plain_modes=(*PLAIN, "parse", "async_parse", *FETCHED),
    more_stream_modes=(*STREAMED, "helper"),
)
