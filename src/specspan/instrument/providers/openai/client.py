"""What every method of the ``openai`` client has in common, whatever it asks for."""

from __future__ import annotations

from typing import Any

from specspan.call import Usage
from specspan.instrument.formats import raw_response as _raw
from specspan.instrument.formats.fields import count, fields
from specspan.instrument.formats.generated_client import Server, server_of


class Service(Server):
    """Who is asked, and where: fields of a `specspan.call.Request`."""

    provider: str


def service_of(client: Any) -> Service:
    """Whom a client talks to. Azure is told by the client's class or by its own host."""
    server = server_of(client)
    azure = type(client).__name__.endswith("AzureOpenAI") or (server["server_address"] or "").endswith(".azure.com")
    return {"provider": "azure.ai.openai" if azure else "openai", **server}


def usage_of(usage: Any, read: str, written: str) -> Usage:
    """Tokens, where the service calls those that the model read and wrote ``{read}_tokens`` and so on."""
    counts = fields(usage)
    of_read, of_written = fields(counts.get(f"{read}_tokens_details")), fields(counts.get(f"{written}_tokens_details"))
    return Usage(
        input_tokens=count(counts.get(f"{read}_tokens")),
        output_tokens=count(counts.get(f"{written}_tokens")),
        cache_read_input_tokens=count(of_read.get("cached_tokens", counts.get("cached_tokens"))),
        cache_write_input_tokens=count(of_read.get("cache_write_tokens")),
        reasoning_output_tokens=count(of_written.get("reasoning_tokens")),
    )


def stream_in(answer: Any) -> Any | None:
    """The stream that an answer is, or holds."""
    return _raw.stream_in(answer, _raw.stream_types("openai"))
