"""The real ``openai`` client over a transport that answers without a network, sync and async alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from http_libraries import openai_http
from openai import AsyncOpenAI, OpenAI

BASE_URL = "https://api.openai.com/v1"


def completion(text: str | None = "hello", *, tools: Sequence[tuple[str, str]] = (), **changes: Any) -> dict[str, Any]:
    """The body of an answer, as the service gives it."""
    message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if tools:
        message["tool_calls"] = [_tool_call(name, arguments) for name, arguments in tools]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-test-2026",
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if tools else "stop"}
        ],
        "usage": usage(),
    } | changes


def usage() -> dict[str, Any]:
    return {
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "total_tokens": 17,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }


def _tool_call(name: str, arguments: str) -> dict[str, Any]:
    return {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}}


def chunk(delta: Mapping[str, Any] | None = None, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    """One chunk of a streamed answer."""
    choices = [{"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish}]
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-test-2026",
        "choices": choices,
        "usage": None,
    }


def chunks(*texts: str, finish: str | None = "stop") -> list[dict[str, Any]]:
    """A whole stream: the role, the texts, why it stopped, and the usage."""
    said = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": text}) for text in texts)]
    last = [] if finish is None else [chunk({}, finish)]
    return [*said, *last, {**chunk(), "choices": [], "usage": usage()}]


def text_in(chunk: Any) -> str:
    """The text in a chunk, as a client gives it."""
    return "".join(choice.delta.content or "" for choice in chunk.choices)


def is_last(chunk: Any) -> bool:
    """Whether a chunk, as a client gives it, says why the model stopped."""
    return any(choice.finish_reason for choice in chunk.choices)


def sse(events: Iterable[Mapping[str, Any]]) -> str:
    """Events as the service streams them."""
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


@dataclass
class Wire:
    """Answers every request with the same body: a dict as JSON, text as a stream of events."""

    body: Mapping[str, Any] | str
    status: int = 200
    base_url: str = BASE_URL
    requests: list[dict[str, Any]] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    """Called while a request is under way."""

    def __call__(self, request: openai_http.Request) -> openai_http.Response:
        self.requests.append(json.loads(request.content or b"{}"))
        self.during()
        if isinstance(self.body, str):
            return openai_http.Response(self.status, headers={"content-type": "text/event-stream"}, text=self.body)
        return openai_http.Response(self.status, json=self.body)

    async def answer_async(self, request: openai_http.Request) -> openai_http.Response:
        await asyncio.sleep(0)
        return self(request)

    def sync_client(self) -> OpenAI:
        http = openai_http.Client(transport=openai_http.MockTransport(self))
        return OpenAI(api_key="test", base_url=self.base_url, http_client=http, max_retries=0)

    def async_client(self) -> AsyncOpenAI:
        http = openai_http.AsyncClient(transport=openai_http.MockTransport(self.answer_async))
        return AsyncOpenAI(api_key="test", base_url=self.base_url, http_client=http, max_retries=0)


Ask = Callable[..., Any]
"""``ask(wire, **parameters)``: the answer, or of a stream all its chunks."""


def ask_sync(wire: Wire, *, raw: bool = False, **parameters: Any) -> Any:
    with wire.sync_client() as client:
        completions: Any = client.chat.completions
        answer = (completions.with_raw_response if raw else completions).create(**_with_defaults(parameters))
        read = answer.parse() if raw else answer
        return list(read) if parameters.get("stream") else read


def ask_async(wire: Wire, *, raw: bool = False, **parameters: Any) -> Any:
    async def ask() -> Any:
        async with wire.async_client() as client:
            completions: Any = client.chat.completions
            answer = await (completions.with_raw_response if raw else completions).create(**_with_defaults(parameters))
            read = answer.parse() if raw else answer
            return [each async for each in read] if parameters.get("stream") else read

    return asyncio.run(ask())


def _with_defaults(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}], **parameters}


def response(*texts: str, output: Sequence[Mapping[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """The body of an answer of the Responses API."""
    content = [{"type": "output_text", "text": text, "annotations": [], "logprobs": []} for text in texts]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": content}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-test-2026",
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "output": [message] if output is None else list(output),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 12,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2},
            "total_tokens": 17,
        },
    } | changes


def response_events(*texts: str) -> list[dict[str, Any]]:
    """A whole stream of the Responses API: one message of these texts."""
    whole = response("".join(texts))
    started = response(output=(), status="in_progress", usage=None)
    (message,) = whole["output"]
    at = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    (piece,) = message["content"]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**message, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **at, "part": {**piece, "text": ""}},
        *({"type": "response.output_text.delta", **at, "delta": text, "logprobs": []} for text in texts),
        {"type": "response.output_text.done", **at, "text": piece["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": piece},
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": whole},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def typed_sse(events: Iterable[Mapping[str, Any]]) -> str:
    """Events as the Responses API streams them."""
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
