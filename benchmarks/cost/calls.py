"""Model calls that the benchmark makes: OpenAI's client over a mock transport, prompt and answer of 2 kB each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import openai

PROMPT = ("The order left our warehouse on Monday and should be with you by the end of the week. " * 24)[:2000]
_BODY = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-5-2025-08-07",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": PROMPT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 400, "completion_tokens": 400, "total_tokens": 800},
    }
).encode()


def make_call() -> Callable[[], object]:
    """Return a function that makes one call."""
    transport = httpx2.MockTransport(_respond)
    client = openai.OpenAI(api_key="key", http_client=httpx2.Client(transport=transport))
    return lambda: client.chat.completions.create(model="gpt-5", messages=_messages())


def make_async_call() -> Callable[[], Awaitable[object]]:
    """Return a coroutine function that makes one call."""
    transport = httpx2.MockTransport(_respond)
    client = openai.AsyncOpenAI(api_key="key", http_client=httpx2.AsyncClient(transport=transport))
    return lambda: client.chat.completions.create(model="gpt-5", messages=_messages())


def _messages() -> Any:
    return [{"role": "user", "content": PROMPT}]


def _respond(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, content=_BODY, headers={"content-type": "application/json"})
