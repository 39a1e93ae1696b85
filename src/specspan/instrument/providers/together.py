"""Together AI."""

from __future__ import annotations

from specspan.instrument.providers.openai.compatible import chat, embeddings

ADAPTERS = (
    chat("together", "together.resources.chat.completions:CompletionsResource"),
    embeddings("together", "together.resources.embeddings:EmbeddingsResource"),
)
