"""Together AI's chat completions: OpenAI's wire format through the ``together`` client."""

from __future__ import annotations

from dataclasses import replace

import httpx
from enforcement_stainless import PLAIN, STREAMED, Resource
from enforcement_wire_openai_chat import ASKED
from enforcement_wire_openai_chat import WIRE as OPENAI
from together import AsyncTogether, Together

RESOURCE = Resource(httpx, Together, AsyncTogether, "chat.completions", ASKED, "/chat/completions")
WIRE = replace(
    OPENAI,
    provider="together",
    modes=RESOURCE.modes(),
    more_plain_modes=PLAIN,
    more_stream_modes=STREAMED,
)
