"""What clients that are generated from an API's description have in common, whoever's service it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypedDict

from specspan.instrument.adapter import Invocation

_PORTS = {"https": 443, "http": 80}


class Server(TypedDict):
    """Where requests go: fields of a `specspan.call.Request`."""

    server_address: str | None
    server_port: int | None


def server_of(client: Any) -> Server:
    """Where a client sends its requests."""
    url = client.base_url
    return {"server_address": url.host, "server_port": url.port or _PORTS.get(url.scheme)}


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
