"""OpenAI's Responses API: the wire format, and the ways in which the ``openai`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from enforcement_http import Service
from enforcement_output import Output
from enforcement_stainless import PLAIN, STREAMED, Resource
from enforcement_table import WireFormat
from http_libraries import openai_http
from openai import AsyncOpenAI, OpenAI

ASKED: dict[str, Any] = {"model": "gpt-test", "input": "hi"}
USAGE = {
    "input_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 8,
}


def body(*output: Any, **changes: Any) -> dict[str, Any]:
    """Return a body with these output items."""
    frame = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-test-2026", "status": "completed"}
    rest: dict[str, Any] = {
        "error": None,
        "incomplete_details": None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    return frame | rest | {"output": list(output), "usage": USAGE} | changes


def part(text: Any, annotations: Any = (), kind: str = "output_text") -> dict[str, Any]:
    """Return a part of a message with this text."""
    return {"type": kind, "text": text, "annotations": list(annotations), "logprobs": []}


def message(*content: Any, id_: str = "msg_1", **changes: Any) -> dict[str, Any]:
    """Return a message with these parts; a text is a part of its own."""
    parts = [part(each) if isinstance(each, str) else each for each in content]
    return {
        "id": id_,
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": parts,
    } | changes


def tool(name: Any = "search", arguments: Any = "{}", id_: str = "fc_1") -> dict[str, Any]:
    """Return an item that calls a function."""
    return {"id": id_, "type": "function_call", "call_id": id_, "name": name, "arguments": arguments} | {
        "status": "completed"
    }


def event(kind: Any, **fields: Any) -> dict[str, Any]:
    """Return an event of this type without ``response.`` in front of the name."""
    return {"type": f"response.{kind}" if isinstance(kind, str) else kind, "sequence_number": 0, **fields}


def added(item: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event that starts an output item."""
    return event("output_item.added", output_index=index, item=item)


def done(item: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event that ends an output item."""
    return event("output_item.done", output_index=index, item=item)


def delta(piece: Any, index: Any = 0, kind: str = "output_text", content_index: Any = 0, **more: Any) -> dict[str, Any]:
    """Return the event of a piece of text, or of another kind of piece."""
    at = {"item_id": "msg_1", "output_index": index, "content_index": content_index}
    return event(f"{kind}.delta", **at, delta=piece, logprobs=[], **more)


def opened(content: Any = None) -> tuple[dict[str, Any], ...]:
    """Return the events that start a message and its first part."""
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    part_added = event("content_part.added", **at, part=part("") if content is None else content)
    return (begin(), added(message(status="in_progress")), part_added)


def begin(**changes: Any) -> dict[str, Any]:
    """Return the event that starts an answer."""
    return event("created", response=body(status="in_progress", usage=None) | changes)


def end(*output: Any, **changes: Any) -> dict[str, Any]:
    """Return the event that ends an answer with these output items."""
    return event("completed", response=body(*output, **changes))


def closed(text: str) -> tuple[dict[str, Any], ...]:
    """Return the events that repeat a text whole and end the answer."""
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    return (
        event("output_text.done", **at, text=text, logprobs=[]),
        event("content_part.done", **at, part=part(text)),
        done(message(text)),
        end(message(text)),
    )


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the events of an answer whose text comes in these pieces."""
    return (*opened(), *(delta(piece) for piece in pieces), *closed("".join(pieces)))


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each event."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    numbered = (_numbered(each, number) for number, each in enumerate(sends))
    return tuple(f"event: {name}\ndata: {json.dumps(each)}\n\n".encode() for name, each in numbered)


def _numbered(event: Any, number: int) -> tuple[Any, Any]:
    """Return the name and the data of an event, which has its number if it is an object."""
    if not isinstance(event, dict):
        return "response.output_text.delta", event
    return event.get("type"), {**event, "sequence_number": number}


RESOURCE = Resource(openai_http, OpenAI, AsyncOpenAI, "responses", ASKED, "/responses")


def _helper(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    with RESOURCE.sync(service).stream(**ASKED, **request) as events:
        for each in events:
            output.take(each)
        output.take({"final": events.get_final_response()})


async def _async_helper(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    async with RESOURCE.later(service).stream(**ASKED, **request) as events:
        async for each in events:
            output.take(each)
        output.take({"final": await events.get_final_response()})


def _parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(RESOURCE.sync(service).parse(**ASKED, **request))


async def _async_parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await RESOURCE.later(service).parse(**ASKED, **request))


def _retrieve_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in RESOURCE.sync(service).retrieve("resp_1", stream=True, **request):
        output.take(each)


async def _async_retrieve_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    async for each in await RESOURCE.later(service).retrieve("resp_1", stream=True, **request):
        output.take(each)


def _stream_by_id(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    with RESOURCE.sync(service).stream(response_id="resp_1", **request) as events:
        for each in events:
            output.take(each)
        output.take({"final": events.get_final_response()})


FETCHED = {
    **RESOURCE.fetched("retrieve", "resp_1"),
    **RESOURCE.fetched("cancel", "resp_1"),
    **RESOURCE.fetched("compact", **ASKED),
}
FETCHED_STREAMS: dict[str, Any] = {
    "retrieve_stream": _retrieve_stream,
    "async_retrieve_stream": _async_retrieve_stream,
    "stream_by_id": _stream_by_id,
}


WIRE = WireFormat(
    provider="openai",
    encode=encode,
    modes={
        **RESOURCE.modes(),
        "helper": _helper,
        "async_helper": _async_helper,
        "parse": _parse,
        "async_parse": _async_parse,
        **FETCHED,
        **FETCHED_STREAMS,
    },
    answer=lambda content: body(message(content)),
    stream=stream,
    is_text=lambda place: ("type", "response.output_text.delta") in place and place[-1] == "delta",
    more_plain_modes=(*PLAIN, "parse", "async_parse", *FETCHED),
    more_stream_modes=(*STREAMED, "helper", "async_helper", *FETCHED_STREAMS),
)
