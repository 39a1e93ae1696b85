"""Parameters, servers and raw responses, which all methods of the ``cohere`` client share.

The wrapped classes are the raw clients, which all others call: they return an ``httpx`` response and the object made of
it. Omitted parameters are ``...``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypedDict

from specspan.call import Attribute, Usage
from specspan.instrument.adapter import Adapter, Invocation, Streaming
from specspan.instrument.formats.fields import Fields, as_count, as_list, as_mapping, as_str
from specspan.instrument.formats.generated_client import Server, server_at
from specspan.instrument.formats.raw_response import copy_response
from specspan.instrument.providers.openai.chat import output_type

PROVIDER = "cohere"
INSTALL = "specspan[cohere]"
FILTERED_REASON = "ERROR_TOXIC"
"""Cohere's finish reason for an answer that must not be given."""

_PARAMETERS = {
    "temperature": "temperature",
    "p": "top_p",
    "k": "top_k",
    "max_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}


class CommonFields(TypedDict):
    """Fields of a `specspan.call.Request` that every method sets."""

    provider: str
    model: str | None
    parameters: Mapping[str, Attribute]
    output_type: str | None
    server_address: str | None
    server_port: int | None


def explicit_parameters(invocation: Invocation) -> Fields:
    """Return the parameters that the application gave."""
    return {name: value for name, value in invocation.kwargs.items() if value is not ...}


def common_fields(invocation: Invocation) -> CommonFields:
    """Return provider, model, parameters, output type and server of a call."""
    arguments = explicit_parameters(invocation)
    return {
        "provider": PROVIDER,
        "model": as_str(arguments.get("model")),
        "parameters": _read_parameters(arguments),
        "output_type": output_type(arguments.get("response_format")),
        **_server(invocation.instance._client_wrapper),
    }


def _server(wrapper: Any) -> Server:
    """Return the server of a client; unknown for clients of other clouds, which redirect each request."""
    hooks = wrapper.httpx_client.httpx_client.event_hooks["request"]
    if any(each.__module__.startswith("cohere.") for each in hooks):
        return {"server_address": None, "server_port": None}
    return server_at(wrapper.get_base_url())


def _read_parameters(arguments: Fields) -> dict[str, Attribute]:
    parameters: dict[str, Attribute] = {
        name: arguments[option]
        for option, name in _PARAMETERS.items()
        if isinstance(arguments.get(option), (int, float))
    }
    if stops := tuple(as_list(arguments.get("stop_sequences"))):
        parameters["stop_sequences"] = stops
    return parameters


def unwrap(answer: Any) -> Any:
    """Return the object of a raw response; a value that is not a raw response is returned unchanged."""
    return getattr(answer, "data", answer)


def edit_answer(answer: Any, edit: Callable[[Any], Any]) -> Any:
    """Return a copy of a raw response, ``edit`` applied to its object and to its body."""
    before = answer._response
    after = copy.copy(answer)
    after._data, after._response = edit(answer.data), copy_response(before, edit(before.json()))
    return after


def streaming_adapter(chat: Adapter, streaming: Streaming) -> Adapter:
    """Return the adapter for the method that streams the same chat."""
    return replace(
        chat,
        methods=tuple(f"{each}_stream" for each in chat.methods),
        on_entry=True,
        request=lambda invocation: replace(chat.request(invocation), streaming=True),
        streaming=streaming,
    )


def put_stream(answer: Any, stream: Any) -> Any:
    """Return a raw response with another stream."""
    answer._data = stream
    return answer


def read_usage(usage: Any) -> Usage:
    """Read token counts; billed units are used if the service sent no tokens."""
    fields = as_mapping(usage)
    counted, billed = as_mapping(fields.get("tokens")), as_mapping(fields.get("billed_units"))
    counts = {name: counted.get(name, billed.get(name)) for name in ("input_tokens", "output_tokens")}
    return Usage(
        _as_whole_count(counts["input_tokens"]),
        _as_whole_count(counts["output_tokens"]),
        cache_read_input_tokens=_as_whole_count(fields.get("cached_tokens")),
    )


def _as_whole_count(value: Any) -> int | None:
    """Return a token count, or None for the -1 that the client puts where it had none."""
    number = as_count(value)
    return None if number == -1 else number
