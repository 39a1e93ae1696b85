"""Groq's chat completions: OpenAI's wire format through the ``groq`` client."""

from __future__ import annotations

from dataclasses import replace

import httpx
from enforcement_stainless import PLAIN, STREAMED, Resource
from enforcement_wire_openai_chat import ASKED
from enforcement_wire_openai_chat import WIRE as OPENAI
from groq import AsyncGroq, Groq

RESOURCE = Resource(httpx, Groq, AsyncGroq, "chat.completions", ASKED, "/openai/v1/chat/completions")
WIRE = replace(
    OPENAI,
    provider="groq",
    modes=RESOURCE.modes(),
    more_plain_modes=PLAIN,
    more_stream_modes=STREAMED,
)
