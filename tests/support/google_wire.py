"""The real ``google-genai`` client over a transport that answers without a network, sync and async alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from google import genai

USAGE = {
    "promptTokenCount": 17,
    "cachedContentTokenCount": 4,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 24,
}


def answer(*parts: Mapping[str, Any] | str, reason: str | None = "STOP", **changes: Any) -> dict[str, Any]:
    """The body of an answer, or a chunk of one: texts, or parts."""
    said = [{"text": part} if isinstance(part, str) else dict(part) for part in parts]
    candidate = {"content": {"role": "model", "parts": said}} | ({"finishReason": reason} if reason else {})
    body = {"candidates": [candidate], "modelVersion": "gemini-test-001", "responseId": "r1", "usageMetadata": USAGE}
    return body | changes


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": arguments}}


def sse(*chunks: Mapping[str, Any]) -> str:
    """Chunks as the service streams them."""
    return "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks)


def client(transport: Any, *, is_async: bool = False, vertex: bool = False) -> Any:
    """A client over a transport; the async one where that is asked for."""
    kind, name = (httpx2.AsyncClient, "httpx_async_client") if is_async else (httpx2.Client, "httpx_client")
    options: Any = {name: kind(transport=transport)}
    if vertex:
        from google.oauth2.credentials import Credentials

        credentials = Credentials(token="t")  # type: ignore[no-untyped-call]
        made = genai.Client(
            vertexai=True, project="p", location="us-central1", credentials=credentials, http_options=options
        )
    else:
        made = genai.Client(api_key="k", http_options=options)
    return made.aio if is_async else made


@dataclass
class Wire:
    """Answers requests in turn, the last answer again and again: a dict as JSON, text as a stream of events."""

    bodies: list[Mapping[str, Any] | str]
    status: int = 200
    requests: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        body = self.bodies[min(len(self.requests), len(self.bodies) - 1)]
        self.requests.append(json.loads(request.content))
        if isinstance(body, str):
            return httpx2.Response(self.status, headers={"content-type": "text/event-stream"}, text=body)
        return httpx2.Response(self.status, json=body)


WAYS = ("plain", "stream", "chat", "chat_stream")


def ask(wire: Wire, way: str = "plain", *, is_async: bool = False, vertex: bool = False, **asked: Any) -> Any:
    """Ask for an answer. Returns the client's response; of a stream, its chunks."""
    made = client(httpx2.MockTransport(wire), is_async=is_async, vertex=vertex)
    given = {"model": "gemini-test", "contents": "hi", **asked}
    return asyncio.run(_ask_async(made, way, given)) if is_async else _ask(made, way, given)


def _ask(made: Any, way: str, given: dict[str, Any]) -> Any:
    if way == "plain":
        return made.models.generate_content(**given)
    if way == "stream":
        return list(made.models.generate_content_stream(**given))
    chat = made.chats.create(model=given["model"], config=given.get("config"))
    return chat.send_message(given["contents"]) if way == "chat" else list(chat.send_message_stream(given["contents"]))


async def _ask_async(made: Any, way: str, given: dict[str, Any]) -> Any:
    if way == "plain":
        return await made.models.generate_content(**given)
    if way == "stream":
        return [chunk async for chunk in await made.models.generate_content_stream(**given)]
    chat = made.chats.create(model=given["model"], config=given.get("config"))
    if way == "chat":
        return await chat.send_message(given["contents"])
    return [chunk async for chunk in await chat.send_message_stream(given["contents"])]
