"""Google's ``google-genai`` client: the Gemini API and Vertex AI."""

from specspan.instrument.providers.google.generate import ADAPTERS

__all__ = ["ADAPTERS"]
