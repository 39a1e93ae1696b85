"""What clients that are generated from an API's description have in common, whoever's service it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypedDict
from urllib.parse import urlsplit

from specspan.instrument.adapter import Invocation

_PORTS = {"https": 443, "http": 80}
_MAX_CACHED_URLS = 64


class Server(TypedDict):
    """Where requests go: fields of a `specspan.call.Request`."""

    server_address: str | None
    server_port: int | None


_servers: dict[int, tuple[Any, Server]] = {}
"""By the identity of a URL, that URL and what it says: clients keep theirs, and reading one takes a microsecond."""


def server_of(client: Any) -> Server:
    """Where a client sends its requests."""
    url = client.base_url
    known, server = _servers.get(id(url), _NO_SERVER)
    return server if known is url else _read_server(url)


_NO_SERVER: tuple[Any, Server] = (None, {"server_address": None, "server_port": None})


def _read_server(url: Any) -> Server:
    server: Server = {"server_address": url.host, "server_port": url.port or _PORTS.get(url.scheme)}
    if len(_servers) >= _MAX_CACHED_URLS:
        _servers.clear()
    _servers[id(url)] = url, server
    return server


@lru_cache(maxsize=_MAX_CACHED_URLS)
def server_at(url: str) -> Server:
    """Where requests go that are sent to a URL."""
    read = urlsplit(url)
    return {"server_address": read.hostname, "server_port": read.port or _PORTS.get(read.scheme)}


def unset_to_none(value: Any) -> Any:
    """``value``, or None where it is one of the client's words for "left out", which are all false."""
    return value or None


def buffer_iterators(*names: str) -> Callable[[Invocation], Invocation]:
    """What copies the named parameters where they can be read only once."""

    def prepare(invocation: Invocation) -> Invocation:
        given = invocation.kwargs
        read = {name: list(given[name]) for name in names if hasattr(given.get(name), "__next__")}
        return replace(invocation, kwargs={**given, **read}) if read else invocation

    return prepare


def name_arguments(*names: str) -> Callable[[Invocation], Invocation]:
    """Gives positional arguments the names of their places. What fits no signature is left for the client to refuse."""

    def prepare(invocation: Invocation) -> Invocation:
        args = invocation.args
        placed = dict(zip(names, args))  # noqa: B905 - as many as there are
        given = {**invocation.kwargs, **placed}
        if len(given) < len(args) + len(invocation.kwargs):
            return invocation
        read_once = {name: list(value) for name, value in given.items() if hasattr(value, "__next__")}
        return replace(invocation, args=(), kwargs={**given, **read_once})

    return prepare


def method_paths(*classes: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The named methods of classes, each ``module:Class``, and of their async twins."""
    return tuple(
        f"{module}:{prefix}{owner}.{name}"
        for module, _, owner in (each.partition(":") for each in classes)
        for prefix in ("", "Async")
        for name in names
    )
