"""Parameters, server and arguments, which all calls of a ``bedrock-runtime`` client share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, NamedTuple, TypedDict
from urllib.parse import urlsplit

from specspan.call import Attribute
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats.fields import Fields, as_mapping

PROVIDER = "aws.bedrock"
_PORTS = {"https": 443, "http": 80}
_STREAMING_OPERATIONS = ("ConverseStream", "InvokeModelWithResponseStream")
_PARAMETERS = {
    "temperature": ("temperature",),
    "top_p": ("topP", "top_p", "p"),
    "top_k": ("topK", "top_k", "k"),
    "max_tokens": (
        "maxTokens",
        "max_tokens",
        "max_new_tokens",
        "maxTokenCount",
        "max_gen_len",
        "max_tokens_to_sample",
        "max_completion_tokens",
    ),
    "frequency_penalty": ("frequency_penalty",),
    "presence_penalty": ("presence_penalty",),
    "seed": ("seed",),
}
_STOP_NAMES = ("stopSequences", "stop_sequences", "stop")
_CHOICE_COUNT_NAMES = ("num_generations", "n", "numResults")


class CommonFields(TypedDict):
    """Fields of a `specspan.call.Request` that every operation sets."""

    provider: str
    model: str | None
    streaming: bool
    server_address: str | None
    server_port: int | None


def operation_name(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return the operation that a client's one method is called for."""
    return args[0] if args else kwargs.get("operation_name")


def call_params(invocation: Invocation) -> Fields:
    """Return the parameters that the application gave."""
    arguments = invocation.args[1] if len(invocation.args) > 1 else invocation.kwargs.get("api_params")
    return as_mapping(arguments)


def with_params(invocation: Invocation, params: Mapping[str, Any]) -> Invocation:
    """Return a copy of the call with other parameters."""
    if len(invocation.args) > 1:
        return replace(invocation, args=(invocation.args[0], params, *invocation.args[2:]))
    return replace(invocation, kwargs={**invocation.kwargs, "api_params": params})


def common_fields(invocation: Invocation) -> CommonFields:
    """Return provider, model, streaming and server of a call; the model's id, profile or ARN is not changed."""
    url = urlsplit(invocation.instance.meta.endpoint_url)
    return {
        "provider": PROVIDER,
        "model": call_params(invocation).get("modelId"),
        "streaming": operation_name(invocation.args, invocation.kwargs) in _STREAMING_OPERATIONS,
        "server_address": url.hostname,
        "server_port": url.port or _PORTS.get(url.scheme),
    }


def read_parameters(*arguments: Any) -> dict[str, Attribute]:
    """Return the attributes under ``gen_ai.request.``, which every maker of models names differently."""
    return {name: value for each in arguments for name, value in _read_parameters(as_mapping(each))}


def _read_parameters(arguments: Fields) -> Iterator[tuple[str, Attribute]]:
    for name, words in _PARAMETERS.items():
        for word in words:
            if isinstance(value := arguments.get(word), (int, float)):
                yield name, value
    for word in _STOP_NAMES:
        if isinstance(stops := arguments.get(word), (list, tuple, str)) and stops:
            yield "stop_sequences", (stops,) if isinstance(stops, str) else tuple(stops)
    for word in _CHOICE_COUNT_NAMES:
        if isinstance(count := arguments.get(word), int) and count != 1:
            yield "choice.count", count


class _Event(NamedTuple):
    """Event that was parsed already, in the place of a message of the wire."""

    parsed: Any
    headers: Mapping[str, Any] = {}


def keep_event_stream(stream: Any, watch: Callable[[Any], Any]) -> None:
    """Have a ``botocore`` event stream read its events, parsed, through what ``watch`` makes of them.

    Its iterator is made by its class, of the messages in one of its attributes.
    """
    messages, parse = stream._event_generator, stream._parse_event
    events = watch(event for message in messages if (event := parse(message)))
    stream._event_generator = (_Event(event) for event in events)
    stream._parse_event = attrgetter("parsed")
