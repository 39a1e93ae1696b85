"""Ollama's clients: chat, generate and embeddings of models that run on the application's own servers."""

from specspan.instrument.providers.ollama import embeddings, text

ADAPTERS = (text.CHAT, text.GENERATE, *embeddings.ADAPTERS)
