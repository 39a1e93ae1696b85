"""Ollama: models that run where the application says."""

from __future__ import annotations

from specspan.instrument.providers import _ollama_embeddings, _ollama_text

ADAPTERS = (_ollama_text.CHAT, _ollama_text.GENERATE, *_ollama_embeddings.ADAPTERS)
