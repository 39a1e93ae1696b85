"""How Groq and Together stream: chunks in the shape of OpenAI's chat completions, through clients of their own."""

from __future__ import annotations

import json
from typing import Any

import httpx
from groq import AsyncGroq, Groq
from openai_wire import chunks, is_last, text_in
from stream_cases import ProviderStream, clients
from together import AsyncTogether, Together

_ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
_PIECES = (
    *(f"data: {json.dumps(each)}\n\n".encode() for each in chunks("one ", "two ", "three")),
    b"data: [DONE]\n\n",
)


def _stream(name: str, sync: Any, later: Any) -> ProviderStream:
    sync_client, async_client = clients(httpx, sync, later)
    return ProviderStream(
        id=name,
        provider=name,
        span="chat m",
        pieces=_PIECES,
        opening=2,
        text="one two three",
        said=text_in,
        is_last=is_last,
        known=("gen_ai.response.id", "chatcmpl-1"),
        sync_stream=lambda body: sync_client(body).chat.completions.create(**_ASKED, stream=True),
        async_stream=lambda body: async_client(body).chat.completions.create(**_ASKED, stream=True),
        broken="ReadError",
        lets_go=name != "groq",
        async_plain=lambda body: async_client(body).chat.completions.create(**_ASKED),
    )


STREAMS = (_stream("groq", Groq, AsyncGroq), _stream("together", Together, AsyncTogether))
