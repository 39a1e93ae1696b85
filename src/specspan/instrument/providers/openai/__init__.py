"""OpenAI: the service itself, Azure's, and whatever else the ``openai`` client talks to."""

from specspan.instrument.providers.openai import chat, embeddings, responses

ADAPTERS = (chat.ADAPTER, responses.ADAPTER, embeddings.ADAPTER)
