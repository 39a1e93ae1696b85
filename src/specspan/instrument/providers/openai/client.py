"""Server, provider and token counts, which all methods of the ``openai`` client share."""

from __future__ import annotations

from typing import Any

from specspan.call import Request, Usage
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats import raw_response
from specspan.instrument.formats.fields import as_count, as_mapping
from specspan.instrument.formats.generated_client import Server, server_of

RETRIEVAL = "retrieve_response"
"""``gen_ai.operation.name`` of a call for an answer that was made before; the conventions have no name for it."""


class Service(Server):
    """Provider and server of a call, as fields of a `specspan.call.Request`."""

    provider: str


def service_of(client: Any) -> Service:
    """Return the service that a client connects to; Azure is recognised by the client's class or by its host."""
    server = server_of(client)
    azure = type(client).__name__.endswith("AzureOpenAI") or (server["server_address"] or "").endswith(".azure.com")
    return {"provider": "azure.ai.openai" if azure else "openai", **server}


def build_retrieval(invocation: Invocation) -> Request:
    """Build the request for an answer that was made before: what the model was asked is not seen."""
    return Request(
        operation=RETRIEVAL,
        is_seen=False,
        streaming=bool(invocation.kwargs.get("stream")),
        **service_of(invocation.instance._client),
    )


def read_usage(usage: Any, read: str, written: str) -> Usage:
    """Read token counts whose names start with ``read`` for input and ``written`` for output, such as ``prompt``."""
    counts = as_mapping(usage)
    of_read, of_written = (
        as_mapping(counts.get(f"{read}_tokens_details")),
        as_mapping(counts.get(f"{written}_tokens_details")),
    )
    return Usage(
        input_tokens=as_count(counts.get(f"{read}_tokens")),
        output_tokens=as_count(counts.get(f"{written}_tokens")),
        cache_read_input_tokens=as_count(of_read.get("cached_tokens", counts.get("cached_tokens"))),
        cache_write_input_tokens=as_count(of_read.get("cache_write_tokens")),
        reasoning_output_tokens=as_count(of_written.get("reasoning_tokens")),
    )


def find_stream(answer: Any) -> Any | None:
    """Return the stream that an answer is or holds, or None."""
    return raw_response.find_stream(answer, "openai")
