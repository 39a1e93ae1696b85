"""What every method of the ``cohere`` client has in common.

What is met are its raw clients, which all others ask: they answer with a response of ``httpx`` and the object that was
made of it. Parameters that were left out are ``...``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypedDict

from specspan.call import Attribute, Usage
from specspan.instrument.adapter import Adapter, Invocation
from specspan.instrument.formats.fields import Fields, as_count, as_list, as_mapping, as_str
from specspan.instrument.formats.generated_client import Server, server_at
from specspan.instrument.formats.raw_response import copy_response
from specspan.instrument.providers.openai.chat import output_type

PROVIDER = "cohere"
INSTALL = "specspan[cohere]"
FILTERED_REASON = "ERROR_TOXIC"
"""Cohere's own word for an answer that was not to be given."""

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
    """Fields of a `specspan.call.Request`."""

    provider: str
    model: str | None
    parameters: Mapping[str, Attribute]
    output_type: str | None
    server_address: str | None
    server_port: int | None


def explicit_parameters(invocation: Invocation) -> Fields:
    """The parameters that were not left out."""
    return {name: value for name, value in invocation.kwargs.items() if value is not ...}


def common_fields(invocation: Invocation) -> CommonFields:
    """Who is asked, and how."""
    said = explicit_parameters(invocation)
    return {
        "provider": PROVIDER,
        "model": as_str(said.get("model")),
        "parameters": _read_parameters(said),
        "output_type": output_type(said.get("response_format")),
        **_server(invocation.instance._client_wrapper),
    }


def _server(wrapper: Any) -> Server:
    """Where requests go; not known of clients for other people's clouds, which turn each to somewhere else."""
    hooks = wrapper.httpx_client.httpx_client.event_hooks["request"]
    if any(each.__module__.startswith("cohere.") for each in hooks):
        return {"server_address": None, "server_port": None}
    return server_at(wrapper.get_base_url())


def _read_parameters(said: Fields) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {
        ours: said[theirs] for theirs, ours in _PARAMETERS.items() if isinstance(said.get(theirs), (int, float))
    }
    if stops := tuple(as_list(said.get("stop_sequences"))):
        found["stop_sequences"] = stops
    return found


def unwrap(answer: Any) -> Any:
    """The object that was made of a raw response; what stands for one as it is."""
    return getattr(answer, "data", answer)


def edit_answer(answer: Any, edit: Callable[[Any], Any]) -> Any:
    """A raw response like ``answer``, with ``edit`` applied to its object and to its body."""
    before = answer._response
    after = copy.copy(answer)
    after._data, after._response = edit(answer.data), copy_response(before, edit(before.json()))
    return after


def streaming_adapter(chat: Adapter, **of_stream: Any) -> Adapter:
    """The adapter for the same chat, asked through the method that streams it."""
    return replace(
        chat,
        methods=tuple(f"{each}_stream" for each in chat.methods),
        on_entry=True,
        request=lambda invocation: replace(chat.request(invocation), streaming=True),
        stream_in=unwrap,
        put_stream=_put_stream,
        **of_stream,
    )


def _put_stream(answer: Any, stream: Any) -> Any:
    """A raw response like ``answer``, with another stream."""
    after = copy.copy(answer)
    after._data = stream
    return after


def read_usage(usage: Any) -> Usage:
    """Tokens that the model read and wrote; those that were billed where nothing else was counted."""
    said = as_mapping(usage)
    counted, billed = as_mapping(said.get("tokens")), as_mapping(said.get("billed_units"))
    found = {name: counted.get(name, billed.get(name)) for name in ("input_tokens", "output_tokens")}
    return Usage(
        _as_whole_count(found["input_tokens"]),
        _as_whole_count(found["output_tokens"]),
        cache_read_input_tokens=_as_whole_count(said.get("cached_tokens")),
    )


def _as_whole_count(value: Any) -> int | None:
    """A number of tokens, which the client may have made a fraction of, or -1 where it found none."""
    found = as_count(int(value) if isinstance(value, float) and value.is_integer() else value)
    return None if found == -1 else found
