"""Ollama: models that run where the application says."""

from specspan.instrument.providers.ollama import embeddings, text

ADAPTERS = (text.CHAT, text.GENERATE, *embeddings.ADAPTERS)
