"""OpenAI's clients: chat and text completions, responses and embeddings, on Azure and compatible servers too."""

from specspan.instrument.providers.openai import chat, completions, embeddings, responses

ADAPTERS = (
    chat.ADAPTER,
    chat.RETRIEVE,
    completions.ADAPTER,
    responses.ADAPTER,
    responses.RETRIEVE,
    embeddings.ADAPTER,
)
