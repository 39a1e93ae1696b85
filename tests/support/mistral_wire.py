"""The real ``mistralai`` client over a transport that answers without a network, sync and async alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mistralai.client import Mistral, basesdk

http: Any = vars(basesdk)["httpx"]
"""The client's own: which it is depends on its version."""

USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 5,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 4},
}


def completion(content: Any = "hello", *, reason: str = "stop", **changes: Any) -> dict[str, Any]:
    """The body of an answer; ``changes`` are to the message, or to what is around it."""
    message = {"role": "assistant", "content": content} | {k: changes.pop(k) for k in ("tool_calls",) if k in changes}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    body = {"id": "cmpl-1", "object": "chat.completion", "created": 1, "model": "mistral-test-2026"}
    return body | {"choices": [choice], "usage": USAGE} | changes


def chunk(delta: Mapping[str, Any], reason: str | None = None, **changes: Any) -> dict[str, Any]:
    """The data of one event of a stream."""
    choice = {"index": 0, "delta": dict(delta), "finish_reason": reason}
    return {"id": "cmpl-1", "model": "mistral-test-2026", "choices": [choice]} | changes


def called(name: str, arguments: Any, **changes: Any) -> dict[str, Any]:
    """A tool call."""
    return {"function": {"name": name, "arguments": arguments}} | changes


def sse(*chunks: Mapping[str, Any]) -> str:
    """Chunks as the service streams them."""
    return "".join(f"data: {json.dumps(each)}\n\n" for each in chunks) + "data: [DONE]\n\n"


def client(transport: Any, *, is_async: bool = False) -> Mistral:
    """A client over a transport, for its methods that block or for those that are awaited."""
    if is_async:
        return Mistral(api_key="k", async_client=http.AsyncClient(transport=transport))
    return Mistral(api_key="k", client=http.Client(transport=transport))


@dataclass
class Wire:
    """Answers every request alike: a dict as JSON, text as a stream of events."""

    body: Mapping[str, Any] | str
    status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)
    traced: list[str | None] = field(default_factory=list)

    def __call__(self, request: http.Request) -> http.Response:
        self.requests.append(json.loads(request.content))
        self.traced.append(request.headers.get("traceparent"))
        if isinstance(self.body, str):
            unread = http.ByteStream(self.body.encode())
            return http.Response(self.status, headers={"content-type": "text/event-stream"}, stream=unread)
        return http.Response(self.status, json=self.body)


HI: Sequence[Any] = ({"role": "user", "content": "hi"},)


def ask(answer: Any, method: str = "chat.complete", *args: Any, is_async: bool = False, **asked: Any) -> Any:
    """What a method answers, of a stream all events; ``answer`` is a `Wire`, a transport or a client."""
    if not isinstance(answer, Mistral):
        is_transport = isinstance(answer, http.MockTransport)
        answer = client(answer if is_transport else http.MockTransport(answer), is_async=is_async)
    resource, _, name = method.partition(".")
    given = ({} if resource == "agents" else {"model": "vendor/m"}) | asked
    if resource in ("chat", "agents"):
        given = {"messages": list(HI), **given}
    made = getattr(answer, resource)
    if not is_async:
        found = getattr(made, name)(*args, **given)
        return list(found) if hasattr(found, "__next__") else found
    return asyncio.run(_awaited(getattr(made, f"{name}_async"), args, given))


async def _awaited(method: Any, args: Sequence[Any], given: Mapping[str, Any]) -> Any:
    found = await method(*args, **given)
    return [each async for each in found] if hasattr(found, "__aiter__") else found
