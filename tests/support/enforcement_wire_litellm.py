"""LiteLLM's completions over OpenAI's wire format, in the environment that has LiteLLM."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import litellm
from enforcement_http import Clients, Service
from enforcement_output import Output
from enforcement_wire_openai_chat import ASKED
from enforcement_wire_openai_chat import WIRE as OPENAI
from http_libraries import openai_http
from openai import AsyncOpenAI, OpenAI

litellm.suppress_debug_info = True
# What it keeps is for one event loop, and tests have one each: it warns of that, and so does what it keeps.
logging.getLogger("LiteLLM").setLevel(logging.ERROR)


def _made(transport: Any, is_async: bool) -> Any:
    kind: Any = AsyncOpenAI if is_async else OpenAI
    http = openai_http.AsyncClient if is_async else openai_http.Client
    return kind(api_key="test", http_client=http(transport=transport), max_retries=0)


def gateway_modes(function: str, asked: Mapping[str, Any]) -> dict[str, Callable[..., Any]]:
    """Return the ways to ask a function of LiteLLM's and its async twin, by name."""
    clients = Clients(_made, openai_http)

    def arguments(service: Service, request: Mapping[str, Any], *, is_async: bool) -> dict[str, Any]:
        model = f"openai/{asked['model']}"
        client = clients.client(service, is_async=is_async)
        return {**asked, **request, "model": model, "client": client, "num_retries": 0, "max_retries": 0}

    def call(service: Service, output: Output, request: Mapping[str, Any], *, stream: bool) -> None:
        answer = getattr(litellm, function)(**arguments(service, request, is_async=False), stream=stream)
        for each in answer if stream else (answer,):
            output.take(each)

    async def call_async(service: Service, output: Output, request: Mapping[str, Any]) -> None:
        output.take(await getattr(litellm, f"a{function}")(**arguments(service, request, is_async=True)))

    async def stream_async(service: Service, output: Output, request: Mapping[str, Any]) -> None:
        given = arguments(service, request, is_async=True)
        async for each in await getattr(litellm, f"a{function}")(**given, stream=True):
            output.take(each)

    return {
        "plain": partial(call, stream=False),
        "stream": partial(call, stream=True),
        "async": call_async,
        "async_stream": stream_async,
    }


WIRE = replace(
    OPENAI,
    provider="litellm",
    modes=gateway_modes("completion", ASKED),
    choices=None,
    more_plain_modes=(),
    more_stream_modes=(),
)
