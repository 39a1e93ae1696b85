"""Mistral: the service itself, and its models on Azure and Vertex AI through the same client."""

from specspan.instrument.providers.mistral.chat import ADAPTERS

__all__ = ["ADAPTERS"]
