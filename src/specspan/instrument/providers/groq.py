"""Groq's chat completions and embeddings, which have OpenAI's shapes."""

from __future__ import annotations

from typing import Any

from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator
from specspan.instrument.providers.openai.compatible import chat_adapter, embeddings_adapter, requests_adapter


class _Accumulator(ChatAccumulator):
    """Accumulator of chat chunks, the last of which has the usage in Groq's own field."""

    __slots__ = ()

    def add(self, chunk: Any) -> None:
        super().add(chunk)
        usage = as_mapping(getattr(chunk, "x_groq", None)).get("usage")
        if usage is not None:
            self._usage = usage


_CHAT = chat_adapter("groq", "groq.resources.chat.completions:Completions", _Accumulator)
_EMBEDDINGS = embeddings_adapter("groq", "groq.resources.embeddings:Embeddings")
_REQUESTS = requests_adapter(
    "groq",
    ("post", "chat/completions", _CHAT),
    ("post", "embeddings", _EMBEDDINGS),
    ("get", "files/[^/]+/content", "contents of files, such as results of batches"),
)
ADAPTERS = (_CHAT, _EMBEDDINGS, _REQUESTS)
