"""Cohere's clients: chats of both API versions, and their embeddings."""

from specspan.instrument.providers.cohere.chat import ADAPTERS

__all__ = ["ADAPTERS"]
