"""What every method of the ``openai`` client has in common, whatever it asks for."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from specspan.instrument.providers._generated import Server, server_of
from specspan.instrument.providers._raw import is_raw
from specspan.instrument.providers._raw_events import EventBody


class Service(Server):
    """Who is asked, and where: fields of a `specspan.call.Request`."""

    provider: str


def service_of(client: Any) -> Service:
    """Whom a client talks to. Azure is told by the client's class or by its own host."""
    azure = type(client).__name__.endswith("AzureOpenAI") or client.base_url.host.endswith(".azure.com")
    return {"provider": "azure.ai.openai" if azure else "openai", **server_of(client)}


def stream_in(answer: Any) -> Any | None:
    """The stream that an answer is, or holds."""
    if is_raw(answer):
        if getattr(answer, "_is_sse_stream", False):
            return EventBody(answer)
        if getattr(answer, "_stream", False):
            answer = answer.parse()
    return answer if isinstance(answer, _stream_types()) else None


@lru_cache(maxsize=1)
def _stream_types() -> tuple[type, ...]:
    from openai import AsyncStream, Stream

    return Stream, AsyncStream
