"""Together AI's chat completions and embeddings, which have OpenAI's shapes."""

from __future__ import annotations

from specspan.instrument.providers.openai.compatible import chat_adapter, embeddings_adapter

ADAPTERS = (
    chat_adapter("together", "together.resources.chat.completions:CompletionsResource"),
    embeddings_adapter("together", "together.resources.embeddings:EmbeddingsResource"),
)
