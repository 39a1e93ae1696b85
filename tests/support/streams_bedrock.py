"""How Amazon Bedrock streams: ConverseStream, and the pieces of a model's own body."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from bedrock_wire import Answer, client, conversation, events, pieces
from botocore.awsrequest import AWSResponse
from botocore.exceptions import EndpointConnectionError
from stream_cases import Body, ProviderStream, Then
from urllib3.exceptions import ProtocolError

_EVENTS = conversation(["one ", "two ", "three"])


class _Wire:
    """What a client reads events from, one piece at a time."""

    def __init__(self, body: Body) -> None:
        self.headers = {"content-type": "application/vnd.amazon.eventstream"}
        self._body = body

    def stream(self, *_: Any) -> Iterator[bytes]:
        yield from self._body.pieces
        if self._body.then is Then.BREAK:
            raise ProtocolError("gone")

    def close(self) -> None:
        self._body.closed = True


def _answer(body: Body) -> Answer:
    def answer(request: Any, **_: Any) -> Any:
        if body.refused:
            raise EndpointConnectionError(endpoint_url=request.url)
        wire = _Wire(body)
        return AWSResponse(request.url, 200, wire.headers, wire)

    return answer


def _converse(body: Body) -> Any:
    messages = [{"role": "user", "content": [{"text": "hi"}]}]
    return client(_answer(body)).converse_stream(modelId="nova", messages=messages)["stream"]


def _invoke(body: Body) -> Any:
    asked = json.dumps({"prompt": "hi"})
    return client(_answer(body)).invoke_model_with_response_stream(modelId="llama", body=asked)["body"]


def _piece(event: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event["chunk"]["bytes"])
    return found


STREAMS = (
    ProviderStream(
        id="bedrock-converse",
        provider="bedrock",
        span="chat nova",
        pieces=events(*_EVENTS),
        opening=2,
        text="one two three",
        said=lambda event: event.get("contentBlockDelta", {}).get("delta", {}).get("text", ""),
        is_last=lambda event: "messageStop" in event,
        known=("gen_ai.provider.name", "aws.bedrock"),
        sync_stream=_converse,
        broken="ProtocolError",
        refused="EndpointConnectionError",
        is_context=False,
    ),
    ProviderStream(
        id="bedrock-invoke",
        provider="bedrock",
        span="text_completion llama",
        pieces=pieces(
            {"generation": "one ", "prompt_token_count": 3, "generation_token_count": 1, "stop_reason": None},
            {"generation": "two ", "prompt_token_count": None, "generation_token_count": 2, "stop_reason": None},
            {"generation": "three", "prompt_token_count": None, "generation_token_count": 3, "stop_reason": "stop"},
        ),
        opening=1,
        text="one two three",
        said=lambda event: _piece(event)["generation"],
        is_last=lambda event: _piece(event)["stop_reason"] is not None,
        known=("gen_ai.usage.input_tokens", 3),
        sync_stream=_invoke,
        broken="ProtocolError",
        refused="EndpointConnectionError",
        is_context=False,
    ),
)
