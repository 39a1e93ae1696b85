"""Mistral's client: the service itself, and its models on Azure and Vertex AI."""

from specspan.instrument.providers.mistral.chat import ADAPTERS

__all__ = ["ADAPTERS"]
