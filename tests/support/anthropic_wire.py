"""The real ``anthropic`` client over a transport that answers without a network, sync and async alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from http_libraries import anthropic_http


def message(*content: Mapping[str, Any] | str, **changes: Any) -> dict[str, Any]:
    """The body of an answer, as the service gives it: texts, or content blocks."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-2026",
        "content": [_block(each) for each in content],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 3,
            "cache_read_input_tokens": 4,
            "output_tokens": 7,
        },
    } | changes


def tool_use(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": dict(arguments)}


def thinking(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": text, "signature": "c2lnbmVk"}


def _block(content: Mapping[str, Any] | str) -> dict[str, Any]:
    return {"type": "text", "text": content} if isinstance(content, str) else dict(content)


def events(*content: Sequence[str] | Mapping[str, Any], stop_reason: str | None = "end_turn") -> list[dict[str, Any]]:
    """A whole stream: of each block its pieces, if it is text, or itself."""
    usage = {"input_tokens": 10, "cache_creation_input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 1}
    start = message(stop_reason=None, usage=usage)
    blocks = [event for index, block in enumerate(content) for event in _streamed(index, block)]
    if stop_reason is None:
        return [{"type": "message_start", "message": start}, *blocks]
    delta = {"stop_reason": stop_reason, "stop_sequence": None}
    return [
        {"type": "message_start", "message": start},
        *blocks,
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]


def _streamed(index: int, block: Sequence[str] | Mapping[str, Any]) -> list[dict[str, Any]]:
    empty, deltas = _pieces(block)
    return [
        {"type": "content_block_start", "index": index, "content_block": empty},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def _pieces(block: Sequence[str] | Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it starts, and what it grows by."""
    if not isinstance(block, Mapping):
        return {"type": "text", "text": ""}, [{"type": "text_delta", "text": each} for each in block]
    if block["type"] == "thinking":
        signed = {"type": "signature_delta", "signature": block["signature"]}
        return block | {"thinking": "", "signature": ""}, [  # type: ignore[operator]  # a dict
            {"type": "thinking_delta", "thinking": block["thinking"]},
            signed,
        ]
    written = json.dumps(block["input"])
    halves = (written[:5], written[5:])
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": half} for half in halves]


def sse(said: Iterable[Mapping[str, Any]]) -> list[str]:
    """Events as the service streams them, one piece each."""
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in said]


@dataclass
class Wire:
    """Answers every request with the same body: a dict as JSON, text as a stream of events."""

    body: Mapping[str, Any] | str
    status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: anthropic_http.Request) -> anthropic_http.Response:
        self.requests.append(json.loads(request.content))
        if isinstance(self.body, str):
            return anthropic_http.Response(self.status, headers={"content-type": "text/event-stream"}, text=self.body)
        return anthropic_http.Response(self.status, json=self.body)

    def sync_client(self) -> Anthropic:
        http = anthropic_http.Client(transport=anthropic_http.MockTransport(self))
        return Anthropic(api_key="test", http_client=http, max_retries=0)

    def async_client(self) -> AsyncAnthropic:
        http = anthropic_http.AsyncClient(transport=anthropic_http.MockTransport(self))
        return AsyncAnthropic(api_key="test", http_client=http, max_retries=0)


WAYS = ("plain", "raw", "unread", "beta", "parse", "stream", "helper")
"""How an answer can be asked for, sync and async; the last two as a stream."""


def ask(wire: Wire, way: str = "plain", *, is_async: bool = False, **parameters: Any) -> Any:
    """Ask for an answer. Returns the client's message; of a bare stream, its events."""
    asked = {"model": "claude-test", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}], **parameters}
    return asyncio.run(_ask_async(wire, way, asked)) if is_async else _ask(wire, way, asked)


def _ask(wire: Wire, way: str, asked: dict[str, Any]) -> Any:
    with wire.sync_client() as client:
        messages: Any = client.beta.messages if way == "beta" else client.messages
        if way == "helper":
            with messages.stream(**asked) as stream:
                return stream.get_final_message()
        if way == "raw":
            return messages.with_raw_response.create(**asked).parse()
        if way == "unread":
            with messages.with_streaming_response.create(**asked) as answer:
                return answer.parse()
        if way == "stream":
            return list(messages.create(**asked, stream=True))
        return messages.parse(**asked) if way == "parse" else messages.create(**asked)


async def _ask_async(wire: Wire, way: str, asked: dict[str, Any]) -> Any:
    async with wire.async_client() as client:
        messages: Any = client.beta.messages if way == "beta" else client.messages
        if way == "helper":
            async with messages.stream(**asked) as stream:
                return await stream.get_final_message()
        if way == "raw":
            return await (await messages.with_raw_response.create(**asked)).parse()
        if way == "unread":
            async with messages.with_streaming_response.create(**asked) as answer:
                return await answer.parse()
        if way == "stream":
            return [event async for event in await messages.create(**asked, stream=True)]
        return await (messages.parse(**asked) if way == "parse" else messages.create(**asked))
