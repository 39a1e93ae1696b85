"""LiteLLM's text completions over OpenAI's wire format, in the environment that has LiteLLM."""

from __future__ import annotations

from dataclasses import replace

from enforcement_wire_litellm import gateway_modes
from enforcement_wire_openai_completions import ASKED
from enforcement_wire_openai_completions import WIRE as OPENAI

WIRE = replace(
    OPENAI,
    provider="litellm",
    modes=gateway_modes("text_completion", ASKED),
    more_plain_modes=(),
    more_stream_modes=(),
)
