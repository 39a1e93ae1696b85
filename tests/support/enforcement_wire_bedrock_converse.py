"""Amazon Bedrock's Converse: the wire format, and the ways in which the ``botocore`` client is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from enforcement_bedrock import client, frame
from enforcement_http import Service
from enforcement_output import Output
from enforcement_table import WireFormat

ASKED: dict[str, Any] = {"modelId": "nova", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
USAGE = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}


def body(*content: Any, **changes: Any) -> dict[str, Any]:
    """Return a body with these content blocks; a text is a block of its own."""
    blocks = [{"text": each} if isinstance(each, str) else each for each in content]
    message = {"message": {"role": "assistant", "content": blocks}}
    return {"output": message, "stopReason": "end_turn", "usage": USAGE, "metrics": {"latencyMs": 1}} | changes


def tool(name: Any = "search", arguments: Any = None, id_: str = "t1") -> dict[str, Any]:
    """Return a block that calls a tool."""
    return {"toolUse": {"toolUseId": id_, "name": name, "input": {} if arguments is None else arguments}}


BEGIN: dict[str, Any] = {"messageStart": {"role": "assistant"}}


def start(name: Any = "search", index: Any = 0, id_: Any = "t1") -> dict[str, Any]:
    """Return the event that starts a tool call."""
    return {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": id_, "name": name}}}}


def delta(piece: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event of a piece of a block; a text is a piece of text."""
    piece = {"text": piece} if isinstance(piece, str) else piece
    return {"contentBlockDelta": {"contentBlockIndex": index, "delta": piece}}


def arguments(piece: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event of a piece of a tool's arguments."""
    return delta({"toolUse": {"input": piece}}, index)


def stop(index: Any = 0) -> dict[str, Any]:
    """Return the event that ends a block."""
    return {"contentBlockStop": {"contentBlockIndex": index}}


def reason(why: Any = "end_turn") -> dict[str, Any]:
    """Return the event that says why the model stopped."""
    return {"messageStop": {"stopReason": why}}


METADATA: dict[str, Any] = {"metadata": {"usage": USAGE, "metrics": {"latencyMs": 1}}}
END = (reason(), METADATA)


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the events of an answer whose text comes in these pieces."""
    return (BEGIN, *(delta(piece) for piece in pieces), stop(), *END)


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each event."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    return tuple(frame(name, payload) for each in sends for name, payload in _payloads(each).items())


def _payloads(event: Any) -> dict[str, Any]:
    """Return the payloads of an event by its name."""
    return event if isinstance(event, dict) else {"contentBlockDelta": event}


def _plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    answer = client(service).converse(**ASKED, **request)
    output.take({name: value for name, value in answer.items() if name != "ResponseMetadata"})


def _stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for event in client(service).converse_stream(**ASKED, **request)["stream"]:
        output.take(event)


WIRE = WireFormat(
    provider="bedrock",
    encode=encode,
    modes={"plain": _plain, "stream": _stream},
    answer=body,
    stream=stream,
    is_text=lambda place: "contentBlockDelta" in place and place[-1] == "text",
    plain_modes=("plain",),
    stream_modes=("stream",),
)
