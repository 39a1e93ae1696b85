"""Adapters for services with OpenAI's API and a generated client of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from specspan.call import Request
from specspan.instrument.adapter import Accumulator, Adapter, Invocation
from specspan.instrument.formats.generated_client import method_paths, server_of
from specspan.instrument.formats.known_chat import CHAT_CHUNK
from specspan.instrument.formats.known_fields import AnswerFields
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator
from specspan.instrument.formats.raw_response import find_stream
from specspan.instrument.formats.requested_paths import Route, adapter_by_path
from specspan.instrument.providers.openai import chat, completions, embeddings
from specspan.instrument.providers.openai.client import Service


def chat_adapter(
    package: str,
    owner: str,
    accumulator: Callable[[Request], Accumulator] = ChatAccumulator,
    chunk_fields: AnswerFields = CHAT_CHUNK,
) -> Adapter:
    """Return the adapter for chat completions of the class ``owner`` and its async twin."""
    adapter = _for_package(chat.ADAPTER, package, owner, chat.build_request)
    streaming = replace(chat.STREAMING, find_stream=_finder(package), accumulator=accumulator, fields=chunk_fields)
    return replace(adapter, streaming=streaming)


def completions_adapter(package: str, owner: str) -> Adapter:
    """Return the adapter for text completions of the class ``owner`` and its async twin."""
    adapter = _for_package(completions.ADAPTER, package, owner, completions.build_request)
    return replace(adapter, streaming=replace(completions.STREAMING, find_stream=_finder(package)))


def _finder(package: str) -> Callable[[Any], Any | None]:
    """Return the function that finds the stream in an answer of a client."""
    return lambda answer: find_stream(answer, package)


def embeddings_adapter(package: str, owner: str) -> Adapter:
    """Return the adapter for embeddings of the class ``owner`` and its async twin."""
    return _for_package(embeddings.ADAPTER, package, owner, embeddings.build_request)


def requests_adapter(package: str, *routes: Route) -> Adapter:
    """Return the adapter for what a client's own ``post``, ``get`` and ``request`` ask for."""
    return adapter_by_path(package, package.capitalize(), f"specspan[{package}]", routes)


def _for_package(
    adapter: Adapter, package: str, owner: str, build_request: Callable[[Invocation, Service], Request]
) -> Adapter:
    """Return a copy of an adapter of OpenAI's client for the client of another package."""

    def request(invocation: Invocation) -> Request:
        return build_request(invocation, {"provider": package, **server_of(invocation.instance._client)})

    return replace(
        adapter,
        provider=package,
        package=package,
        install=f"specspan[{package}]",
        methods=method_paths(owner, names=("create",)),
        request=request,
    )
