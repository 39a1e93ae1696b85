"""What every method of the ``openai`` client has in common, whatever it asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypedDict

from specspan.instrument.adapter import Invocation
from specspan.instrument.providers._raw import is_raw

_PORTS = {"https": 443, "http": 80}


class Service(TypedDict):
    """Who is asked: fields of a `specspan.call.Request`."""

    provider: str
    server_address: str | None
    server_port: int | None


def service_of(client: Any) -> Service:
    """Whom a client talks to. Azure is told by the client's class or by its own host."""
    url = client.base_url
    azure = type(client).__name__.endswith("AzureOpenAI") or url.host.endswith(".azure.com")
    return {
        "provider": "azure.ai.openai" if azure else "openai",
        "server_address": url.host,
        "server_port": url.port or _PORTS.get(url.scheme),
    }


def said(value: Any) -> Any:
    """``value``, or None where it is one of the client's words for "left out", which are all false."""
    return value or None


def reads_once(*names: str) -> Callable[[Invocation], Invocation]:
    """What copies the named parameters where they can be read only once."""

    def prepare(invocation: Invocation) -> Invocation:
        given = invocation.kwargs
        read = {name: list(given[name]) for name in names if hasattr(given.get(name), "__next__")}
        return replace(invocation, kwargs={**given, **read}) if read else invocation

    return prepare


def methods(*classes: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The named methods of classes, each ``module:Class``, and of their async twins."""
    return tuple(
        f"{module}:{prefix}{owner}.{name}"
        for module, _, owner in (each.partition(":") for each in classes)
        for prefix in ("", "Async")
        for name in names
    )


def stream_in(answer: Any) -> Any | None:
    """The stream that an answer is, or holds."""
    if is_raw(answer) and getattr(answer, "_stream", False):
        answer = answer.parse()
    return answer if isinstance(answer, _stream_types()) else None


@lru_cache(maxsize=1)
def _stream_types() -> tuple[type, ...]:
    from openai import AsyncStream, Stream

    return Stream, AsyncStream
