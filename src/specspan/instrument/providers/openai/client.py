"""What every method of the ``openai`` client has in common, whatever it asks for."""

from __future__ import annotations

from typing import Any

from specspan.call import Usage
from specspan.instrument.formats import raw_response as _raw
from specspan.instrument.formats.fields import as_count, as_mapping
from specspan.instrument.formats.generated_client import Server, server_of


class Service(Server):
    """Who is asked, and where: fields of a `specspan.call.Request`."""

    provider: str


def service_of(client: Any) -> Service:
    """Whom a client talks to. Azure is told by the client's class or by its own host."""
    server = server_of(client)
    azure = type(client).__name__.endswith("AzureOpenAI") or (server["server_address"] or "").endswith(".azure.com")
    return {"provider": "azure.ai.openai" if azure else "openai", **server}


def read_usage(usage: Any, read: str, written: str) -> Usage:
    """Tokens, where the service calls those that the model read and wrote ``{read}_tokens`` and so on."""
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
    """The stream that an answer is, or holds."""
    return _raw.find_stream(answer, _raw.stream_types("openai"))
