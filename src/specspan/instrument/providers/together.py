"""Together AI's chat completions, text completions and embeddings, which have OpenAI's shapes."""

from __future__ import annotations

from specspan.instrument.providers.openai.compatible import chat_adapter, completions_adapter, embeddings_adapter

ADAPTERS = (
    chat_adapter("together", "together.resources.chat.completions:CompletionsResource"),
    completions_adapter("together", "together.resources.completions:CompletionsResource"),
    embeddings_adapter("together", "together.resources.embeddings:EmbeddingsResource"),
)
