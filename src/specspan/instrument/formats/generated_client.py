"""Helpers for clients that are generated from an API description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, TypedDict
from urllib.parse import urlsplit

from specspan._support.caches import IdentityCache
from specspan.instrument.adapter import Invocation

_PORTS = {"https": 443, "http": 80}
_MAX_CACHED_URLS = 64


class Server(TypedDict):
    """Address and port of a server, as fields of a `specspan.call.Request`."""

    server_address: str | None
    server_port: int | None


_servers: IdentityCache[Any, Server] = IdentityCache(_MAX_CACHED_URLS)
"""Server of a URL object: clients keep their URL, and parsing it takes a microsecond."""


def server_of(client: Any) -> Server:
    """Return the server that a client sends its requests to."""
    url = client.base_url
    return _servers.get(url) or _servers.put(
        url, {"server_address": url.host, "server_port": url.port or _PORTS.get(url.scheme)}
    )


@lru_cache(maxsize=_MAX_CACHED_URLS)
def server_at(url: str) -> Server:
    """Return the server that a URL leads to."""
    parts = urlsplit(url)
    return {"server_address": parts.hostname, "server_port": parts.port or _PORTS.get(parts.scheme)}


def unset_to_none(value: Any) -> Any:
    """Return ``value``, or None where it is one of the client's markers for an omitted parameter.

    All those markers are false.
    """
    return value or None


def name_arguments(*names: str) -> Callable[[Invocation], Invocation]:
    """Return a ``prepare`` function that names positional arguments.

    Arguments that fit no signature are left for the client to refuse.
    """

    def prepare(invocation: Invocation) -> Invocation:
        args = invocation.args
        placed = dict(zip(names, args))  # noqa: B905 - as many as there are
        arguments = {**invocation.kwargs, **placed}
        if len(arguments) < len(args) + len(invocation.kwargs):
            return invocation
        return replace(invocation, args=(), kwargs=arguments)

    return prepare


def method_paths(*classes: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths of named methods of classes, each ``module:Class``, and of their async twins."""
    return tuple(
        f"{module}:{prefix}{owner}.{name}"
        for module, _, owner in (each.partition(":") for each in classes)
        for prefix in ("", "Async")
        for name in names
    )


def read_through(name: str) -> Callable[[Any, Callable[[Any], Any]], None]:
    """Return a ``keep`` function for streams that read their chunks from an iterator in one attribute."""

    def keep(stream: Any, watch: Callable[[Any], Any]) -> None:
        setattr(stream, name, watch(getattr(stream, name)))

    return keep
