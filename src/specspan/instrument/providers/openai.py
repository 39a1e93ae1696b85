"""OpenAI: the service itself, Azure's, and whatever else the ``openai`` client talks to."""

from __future__ import annotations

from specspan.instrument.providers import _openai_chat, _openai_embeddings, _openai_responses

ADAPTERS = (_openai_chat.ADAPTER, _openai_responses.ADAPTER, _openai_embeddings.ADAPTER)
