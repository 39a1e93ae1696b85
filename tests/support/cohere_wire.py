"""The real ``cohere`` clients over a transport that answers without a network, sync and async alike."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cohere
import httpx

USAGE = {"billed_units": {"input_tokens": 3, "output_tokens": 5}, "tokens": {"input_tokens": 12, "output_tokens": 5}}
HI: Sequence[Any] = ({"role": "user", "content": "hi"},)


def answer(*content: Any, reason: str = "COMPLETE", **changes: Any) -> dict[str, Any]:
    """The body of an answer of the second API: texts, or blocks. ``changes`` are to the message or around it."""
    blocks: list[Any] = [
        {"type": "text", "text": each} if isinstance(each, str) else each for each in content or ("hello",)
    ]
    inside: dict[str, Any] = {
        name: changes.pop(name) for name in ("tool_calls", "tool_plan", "citations") if name in changes
    }
    message = {"role": "assistant", "content": blocks, **inside}
    return {"id": "c-1", "finish_reason": reason, "message": message, "usage": USAGE} | changes


def first(text: str = "hello", **changes: Any) -> dict[str, Any]:
    """The body of an answer of the first API."""
    meta = {"tokens": {"input_tokens": 12, "output_tokens": 5}}
    return {"text": text, "generation_id": "g-1", "finish_reason": "COMPLETE", "meta": meta} | changes


def event(kind: str, index: int | None = None, **message: Any) -> dict[str, Any]:
    """An event of the second API with a delta of the message."""
    found: dict[str, Any] = {"type": kind} if index is None else {"type": kind, "index": index}
    return found | ({"delta": {"message": message}} if message else {})


def said(text: str) -> dict[str, Any]:
    return event("content-delta", 0, content={"text": text})


BEGIN = {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}}


def end(reason: str = "COMPLETE", usage: Any = USAGE) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": reason, "usage": usage}}


def events(*texts: str) -> list[dict[str, Any]]:
    """A whole answer of the second API, a delta a text."""
    start = event("content-start", 0, content={"type": "text", "text": ""})
    return [BEGIN, start, *map(said, texts), event("content-end", 0), end()]


def first_events(*texts: str) -> list[dict[str, Any]]:
    """A whole answer of the first API."""
    return [
        {"event_type": "stream-start", "generation_id": "g-1", "is_finished": False},
        *({"event_type": "text-generation", "text": text, "is_finished": False} for text in texts),
        {
            "event_type": "stream-end",
            "finish_reason": "COMPLETE",
            "response": first("".join(texts)),
            "is_finished": True,
        },
    ]


def sse(*found: Mapping[str, Any]) -> str:
    """Events as the second API streams them."""
    return "".join(f"event: {each['type']}\ndata: {json.dumps(each)}\n\n" for each in found)


def lines(*found: Mapping[str, Any]) -> str:
    """Events as the first API streams them."""
    return "".join(f"{json.dumps(each)}\n" for each in found)


def client(transport: Any, *, is_async: bool = False, version: int = 2) -> Any:
    """A client over a transport."""
    made: Any = getattr(cohere, f"{'Async' if is_async else ''}Client{'V2' if version == 2 else ''}")
    http: Any = httpx.AsyncClient if is_async else httpx.Client
    once = {"max_retries": 0} if "max_retries" in inspect.signature(made.__init__).parameters else {}
    return made(api_key="k", httpx_client=http(transport=transport), **once)


@dataclass
class Wire:
    """Answers every request alike: a dict as JSON, text as a stream."""

    body: Mapping[str, Any] | str
    status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(json.loads(request.content))
        if isinstance(self.body, str):
            return httpx.Response(self.status, headers={"content-type": "text/event-stream"}, text=self.body)
        return httpx.Response(self.status, json=self.body)


def ask(
    wire: Any, method: str = "chat", *, is_async: bool = False, version: int = 2, made: Any = None, **asked: Any
) -> Any:
    """What a method answers, of a stream all events; ``made`` is a client to ask in place of a new one."""
    made = made or client(httpx.MockTransport(wire), is_async=is_async, version=version)
    asks = {} if "embed" in method else {"messages": list(HI)} if version == 2 else {"message": "hi"}
    given = {"model": "vendor/m", **asks, **asked}
    if not is_async:
        found = getattr(made, method)(**given)
        return list(found) if "stream" in method else found
    return asyncio.run(_awaited(getattr(made, method), given))


async def _awaited(method: Any, given: Mapping[str, Any]) -> Any:
    found = method(**given)
    return [each async for each in found] if hasattr(found, "__aiter__") else await found
