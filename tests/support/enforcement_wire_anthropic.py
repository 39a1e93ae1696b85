"""Anthropic's messages: the wire format, and the ways in which the ``anthropic`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from enforcement_http import Service
from enforcement_output import Output
from enforcement_stainless import PLAIN, STREAMED, Resource
from enforcement_table import WireFormat
from http_libraries import anthropic_http

ASKED: dict[str, Any] = {"model": "claude-test", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"input_tokens": 3, "output_tokens": 5}


def body(*content: Any, **changes: Any) -> dict[str, Any]:
    """Return a body with these content blocks."""
    frame = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test-2026"}
    return (
        frame | {"content": list(content), "stop_reason": "end_turn", "stop_sequence": None, "usage": USAGE} | changes
    )


def text(content: Any, **more: Any) -> dict[str, Any]:
    """Return a text block."""
    return {"type": "text", "text": content, **more}


def tool(name: Any, arguments: Any, id_: str = "t1", kind: str = "tool_use") -> dict[str, Any]:
    """Return a block that calls a tool."""
    return {"type": kind, "id": id_, "name": name, "input": arguments}


def begin(**changes: Any) -> dict[str, Any]:
    """Return the event that starts a message."""
    return {"type": "message_start", "message": body(stop_reason=None) | changes}


def start(block: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event that starts a content block."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(piece: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event of a piece of a content block; a text is a piece of text."""
    piece = {"type": "text_delta", "text": piece} if isinstance(piece, str) else piece
    return {"type": "content_block_delta", "index": index, "delta": piece}


def arguments(piece: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event of a piece of a tool's arguments."""
    return delta({"type": "input_json_delta", "partial_json": piece}, index)


def stop(index: Any = 0) -> dict[str, Any]:
    """Return the event that ends a content block."""
    return {"type": "content_block_stop", "index": index}


def reason(why: Any = "end_turn") -> dict[str, Any]:
    """Return the event that says why the model stopped."""
    return {
        "type": "message_delta",
        "delta": {"stop_reason": why, "stop_sequence": None},
        "usage": {"output_tokens": 5},
    }


END: tuple[dict[str, Any], ...] = (reason(), {"type": "message_stop"})


def blocks(*whole: tuple[Any, ...]) -> tuple[dict[str, Any], ...]:
    """Return the events of a message: of each block its start and its pieces."""
    said = (event for index, (block, *pieces) in enumerate(whole) for event in _block(index, block, pieces))
    return (begin(), *said, *END)


def _block(index: int, block: Any, pieces: list[Any]) -> tuple[dict[str, Any], ...]:
    return (start(block, index), *(delta(piece, index) for piece in pieces), stop(index))


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the events of an answer whose text comes in these pieces."""
    return blocks((text(""), *pieces))


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each event."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    return tuple(f"event: {_name(each)}\ndata: {json.dumps(each)}\n\n".encode() for each in sends)


def _name(event: Any) -> Any:
    return event.get("type") if isinstance(event, dict) else "content_block_delta"


RESOURCE = Resource(anthropic_http, Anthropic, AsyncAnthropic, "messages", ASKED, "/v1/messages")
BETA = Resource(anthropic_http, Anthropic, AsyncAnthropic, "beta.messages", ASKED)


def _helper(read: Callable[[Any, Output], None]) -> Callable[[Service, Output, Mapping[str, Any]], None]:
    def ask(service: Service, output: Output, request: Mapping[str, Any]) -> None:
        with RESOURCE.sync(service).stream(**ASKED, **request) as opened:
            read(opened, output)

    return ask


def _events(opened: Any, output: Output) -> None:
    for event in opened:
        output.take(event)
    output.take({"final": opened.get_final_message()})


def _texts(opened: Any, output: Output) -> None:
    for piece in opened.text_stream:
        output.take(piece)


def _door(opened: Any, output: Output) -> None:
    output.take_bytes(opened.response.iter_lines())


def _snapshot(opened: Any, output: Output) -> None:
    """Read the message that the helper puts together, also after it was cut."""
    try:
        for _ in opened:
            pass
    finally:
        output.take(opened.current_message_snapshot)


async def _async_helper(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    async with RESOURCE.later(service).stream(**ASKED, **request) as opened:
        async for event in opened:
            output.take(event)
        output.take({"final": await opened.get_final_message()})


def _beta(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(BETA.sync(service).create(**ASKED, **request))


def _beta_stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for each in BETA.sync(service).create(**ASKED, **request, stream=True):
        output.take(each)


def _parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(RESOURCE.sync(service).parse(**ASKED, **request))


async def _async_parse(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(await RESOURCE.later(service).parse(**ASKED, **request))


WIRE = WireFormat(
    provider="anthropic",
    encode=encode,
    modes={
        **RESOURCE.modes(),
        "helper": _helper(_events),
        "helper_text": _helper(_texts),
        "helper_door": _helper(_door),
        "helper_snapshot": _helper(_snapshot),
        "async_helper": _async_helper,
        "beta": _beta,
        "beta_stream": _beta_stream,
        "parse": _parse,
        "async_parse": _async_parse,
    },
    answer=lambda content: body(text(content)),
    stream=stream,
    is_text=lambda place: ("type", "text_delta") in place and place[-1] == "text",
    more_plain_modes=(*PLAIN, "beta", "parse", "async_parse"),
    more_stream_modes=(*STREAMED, "helper", "helper_text", "async_helper", "beta_stream"),
)
