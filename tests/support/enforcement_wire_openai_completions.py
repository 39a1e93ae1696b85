"""OpenAI's text completions: the wire format, and the ways in which the ``openai`` client is asked, also on Azure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enforcement_http import Clients, Service
from enforcement_output import Output
from enforcement_stainless import PLAIN, STREAMED, Resource
from enforcement_table import WireFormat
from enforcement_wire_openai_chat import encode
from http_libraries import openai_http
from openai import AsyncOpenAI, AzureOpenAI, OpenAI

ASKED: dict[str, Any] = {"model": "gpt-test", "prompt": "hi"}


def body(text: Any, finish: Any = "stop", **changes: Any) -> dict[str, Any]:
    """Return a body, or one chunk, with one choice."""
    usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
    frame = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "gpt-test-2026"}
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
    return frame | {"choices": [choice], "usage": usage} | changes


def stream(*pieces: str) -> tuple[dict[str, Any], ...]:
    """Return the chunks of an answer whose text comes in these pieces."""
    return (*(body(piece, None, usage=None) for piece in pieces), body("", usage=None))


def _made(transport: Any, is_async: bool) -> AzureOpenAI:
    http = openai_http.Client(transport=transport)
    address = "https://azure.test"
    return AzureOpenAI(
        api_key="test", azure_endpoint=address, api_version="2024-10-21", http_client=http, max_retries=0
    )


RESOURCE = Resource(openai_http, OpenAI, AsyncOpenAI, "completions", ASKED, "/completions")
_AZURE = Clients(_made, openai_http)


def _azure(service: Service, output: Output, request: Mapping[str, Any]) -> None:
    output.take(_AZURE.client(service).completions.create(**ASKED, **request))


WIRE = WireFormat(
    provider="openai",
    encode=encode,
    modes={**RESOURCE.modes(), "azure": _azure},
    answer=body,
    stream=stream,
    is_text=lambda place: place[-1] == "text",
    more_plain_modes=(*PLAIN, "azure"),
    more_stream_modes=STREAMED,
)
