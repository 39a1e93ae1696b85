"""How Anthropic's messages stream: as bare events, and through the client's helper."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from anthropic_wire import events, sse
from http_libraries import anthropic_http
from stream_cases import ProviderStream, clients

_ASKED: dict[str, Any] = {
    "model": "claude-test",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}
_sync_client, _async_client = clients(anthropic_http, Anthropic, AsyncAnthropic)


def _said(event: Any) -> str:
    return str(event.delta.text) if event.type == "content_block_delta" else ""


_BARE = ProviderStream(
    id="anthropic-messages",
    provider="anthropic",
    span="chat claude-test",
    pieces=tuple(piece.encode() for piece in sse(events(["one ", "two ", "three"]))),
    opening=3,
    text="one two three",
    said=_said,
    is_last=lambda event: event.type == "message_delta",
    known=("gen_ai.response.id", "msg_1"),
    sync_stream=lambda body: _sync_client(body).messages.create(**_ASKED, stream=True),
    async_stream=lambda body: _async_client(body).messages.create(**_ASKED, stream=True),
    async_plain=lambda body: _async_client(body).messages.create(**_ASKED),
    broken="ReadError",
)
_HELPER = replace(
    _BARE,
    id="anthropic-helper",
    sync_stream=lambda body: _sync_client(body).messages.stream(**_ASKED).__enter__(),
    async_stream=lambda body: _async_client(body).messages.stream(**_ASKED).__aenter__(),
)

STREAMS = (_BARE, _HELPER)
