"""Cohere: chats of the second and the first API, and embeddings of both."""

from specspan.instrument.providers.cohere.chat import ADAPTERS

__all__ = ["ADAPTERS"]
