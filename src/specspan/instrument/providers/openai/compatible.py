"""Other services that speak OpenAI's language, through generated clients of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from specspan.call import Request
from specspan.instrument.adapter import Accumulator, Adapter, Invocation
from specspan.instrument.formats.generated_client import method_paths, server_of
from specspan.instrument.formats.openai_chat import ChatAccumulator
from specspan.instrument.formats.raw_response import find_stream, stream_types
from specspan.instrument.providers.openai import chat as _openai_chat
from specspan.instrument.providers.openai import embeddings as _openai_embeddings
from specspan.instrument.providers.openai.client import Service


def chat_adapter(package: str, owner: str, accumulator: Callable[[Request], Accumulator] = ChatAccumulator) -> Adapter:
    """Chat completions of a client, made by the class ``owner`` and its async twin."""

    def stream_of(answer: Any) -> Any | None:
        return find_stream(answer, stream_types(package))

    made = _for_package(_openai_chat.ADAPTER, package, owner, _openai_chat.build_request)
    return replace(made, stream_in=stream_of, accumulator=accumulator)


def embeddings_adapter(package: str, owner: str) -> Adapter:
    """Embeddings of a client, likewise."""
    return _for_package(_openai_embeddings.ADAPTER, package, owner, _openai_embeddings.build_request)


def _for_package(
    adapter: Adapter, package: str, owner: str, asked: Callable[[Invocation, Service], Request]
) -> Adapter:
    """An adapter for OpenAI's client, for the client of a service that is called as its package is."""

    def request(invocation: Invocation) -> Request:
        return asked(invocation, {"provider": package, **server_of(invocation.instance._client)})

    return replace(
        adapter,
        provider=package,
        package=package,
        install=f"specspan[{package}]",
        methods=method_paths(owner, names=("create",)),
        request=request,
    )
