"""How LiteLLM streams: chunks and events of its own, of OpenAI's client and of what it asks by itself."""

from __future__ import annotations

from typing import Any

import litellm
from http_libraries import openai_http
from openai import AsyncOpenAI, OpenAI
from openai_wire import chunks, is_last, sse, text_in
from stream_cases import ProviderStream, clients

_ASKED: dict[str, Any] = {"model": "openai/gpt-test", "messages": [{"role": "user", "content": "hi"}], "num_retries": 0}
_PIECES = tuple(f"{event}\n\n".encode() for event in sse(chunks("one ", "two ", "three")).split("\n\n") if event)
_sync_client, _async_client = clients(openai_http, OpenAI, AsyncOpenAI)

STREAMS = (
    ProviderStream(
        id="litellm",
        provider="litellm",
        span="chat openai/gpt-test",
        pieces=_PIECES,
        opening=2,
        text="one two three",
        said=text_in,
        is_last=is_last,
        known=("gen_ai.response.id", "chatcmpl-1"),
        sync_stream=lambda body: litellm.completion(**_ASKED, client=_sync_client(body), stream=True),
        async_stream=lambda body: litellm.acompletion(**_ASKED, client=_async_client(body), stream=True),
        async_plain=lambda body: litellm.acompletion(**_ASKED, client=_async_client(body)),
        broken="MidStreamFallbackError",
        refused="InternalServerError",
        is_context=False,
        close=None,
        async_close=lambda stream: stream.aclose(),
    ),
)
