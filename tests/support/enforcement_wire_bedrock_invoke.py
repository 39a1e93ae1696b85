"""Amazon Bedrock's InvokeModel with bodies of several makers, and the ways in which ``botocore`` is asked."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from enforcement_bedrock import client, frame
from enforcement_http import Service
from enforcement_output import Output
from enforcement_table import WireFormat


def llama(text: Any, why: Any = "stop") -> dict[str, Any]:
    """Return a body, or one piece, of Llama's."""
    return {"generation": text, "prompt_token_count": 3, "generation_token_count": 5, "stop_reason": why}


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the pieces of an answer of Llama's whose text comes in these pieces."""
    return (*(llama(piece, None) for piece in pieces), llama(""))


def encode(sends: Any) -> tuple[bytes, ...]:
    """Return the bytes of a body, or of each piece of one."""
    if not isinstance(sends, tuple):
        return (json.dumps(sends).encode(),)
    data = (base64.b64encode(json.dumps(each).encode()).decode() for each in sends)
    return tuple(frame("chunk", {"bytes": each}) for each in data)


def _asked(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters; ``model`` and ``asks`` of the request are the model's id and its body."""
    body = json.dumps(request.get("asks", {"prompt": "hi"}))
    return {"modelId": request.get("model", "meta.llama3"), "body": body}


def _plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(client(service).invoke_model(**_asked(request))["body"].read())


def _pieces(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take_bytes(client(service).invoke_model(**_asked(request))["body"].iter_chunks(7))


def _raw(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(client(service).invoke_model(**_asked(request))["body"]._raw_stream.read())


def _stream(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    for event in client(service).invoke_model_with_response_stream(**_asked(request))["body"]:
        output.take(json.loads(event["chunk"]["bytes"]))


WIRE = WireFormat(
    provider="bedrock",
    encode=encode,
    modes={"plain": _plain, "pieces": _pieces, "raw": _raw, "stream": _stream},
    answer=llama,
    stream=stream,
    is_text=lambda place: place == ("generation",),
    plain_modes=("plain",),
    stream_modes=("stream",),
    more_plain_modes=("pieces", "raw"),
)
