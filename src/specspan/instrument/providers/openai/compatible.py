"""Other services that speak OpenAI's language, through generated clients of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from specspan.call import Request
from specspan.instrument.adapter import Accumulator, Adapter, Invocation
from specspan.instrument.formats.generated_client import methods, server_of
from specspan.instrument.formats.openai_chat import ChatAccumulator
from specspan.instrument.formats.raw_response import stream_in, stream_types
from specspan.instrument.providers.openai import chat as _openai_chat
from specspan.instrument.providers.openai import embeddings as _openai_embeddings
from specspan.instrument.providers.openai.client import Service


def chat(package: str, owner: str, accumulator: Callable[[Request], Accumulator] = ChatAccumulator) -> Adapter:
    """Chat completions of a client, made by the class ``owner`` and its async twin."""

    def stream_of(answer: Any) -> Any | None:
        return stream_in(answer, stream_types(package))

    made = _of_service(_openai_chat.ADAPTER, package, owner, _openai_chat.asked)
    return replace(made, stream_in=stream_of, accumulator=accumulator)


def embeddings(package: str, owner: str) -> Adapter:
    """Embeddings of a client, likewise."""
    return _of_service(_openai_embeddings.ADAPTER, package, owner, _openai_embeddings.asked)


def _of_service(adapter: Adapter, package: str, owner: str, asked: Callable[[Invocation, Service], Request]) -> Adapter:
    """An adapter for OpenAI's client, for the client of a service that is called as its package is."""

    def request(invocation: Invocation) -> Request:
        return asked(invocation, {"provider": package, **server_of(invocation.instance._client)})

    return replace(
        adapter,
        provider=package,
        package=package,
        install=f"specspan[{package}]",
        methods=methods(owner, names=("create",)),
        request=request,
    )
