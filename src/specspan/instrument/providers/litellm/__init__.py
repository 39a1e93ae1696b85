"""LiteLLM: one client for the models of many providers."""

from specspan.instrument.providers.litellm.chat import ADAPTERS

__all__ = ["ADAPTERS"]
