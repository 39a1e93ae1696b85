"""OpenAI's clients: chat completions, responses and embeddings, on Azure and compatible servers as well."""

from specspan.instrument.providers.openai import chat, embeddings, responses

ADAPTERS = (chat.ADAPTER, responses.ADAPTER, embeddings.ADAPTER)
