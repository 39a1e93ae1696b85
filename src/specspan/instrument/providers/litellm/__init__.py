"""LiteLLM: one client for the models of every provider."""

from specspan.instrument.providers.litellm.chat import ADAPTERS

__all__ = ["ADAPTERS"]
