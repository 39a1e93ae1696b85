"""OpenAI chat completions: the service itself, Azure's, and whatever else the ``openai`` client talks to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from specspan.call import Attribute, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.providers._chat import changed, fields, message_of, with_texts
from specspan.instrument.providers._chat_stream import ChatAccumulator, cut, deltas
from specspan.instrument.providers._raw import is_raw, put_stream, with_body

_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}
_PORTS = {"https": 443, "http": 80}


def _prepare(invocation: Invocation) -> Invocation:
    given = invocation.kwargs
    read = {name: list(given[name]) for name in ("messages", "tools") if hasattr(given.get(name), "__next__")}
    return replace(invocation, kwargs={**given, **read}) if read else invocation


def _request(invocation: Invocation) -> Request:
    given = invocation.kwargs
    client = invocation.instance._client
    url = client.base_url
    return Request(
        provider="azure.ai.openai" if type(client).__name__.endswith("AzureOpenAI") else "openai",
        model=_said(given.get("model")),
        parameters=dict(_parameters(given)),
        output_type=_output_type(_said(given.get("response_format"))),
        input=tuple(map(message_of, given["messages"])),
        tools=tuple(_said(given.get("tools")) or ()),
        streaming=bool(given.get("stream")),
        server_address=url.host,
        server_port=url.port or _PORTS.get(url.scheme),
    )


def _said(value: Any) -> Any:
    """``value``, or None where it is one of the client's words for "left out", which are all false."""
    return value or None


def _parameters(given: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    for name, value in given.items():
        if name in _PARAMETERS and isinstance(value, (int, float)):
            yield _PARAMETERS[name], value
        elif name == "stop" and value:
            yield "stop_sequences", (value,) if isinstance(value, str) else tuple(value)
        elif name == "n" and isinstance(value, int) and value != 1:
            yield "choice.count", value


def _output_type(response_format: Any) -> str | None:
    """``gen_ai.output.type``."""
    if response_format is None:
        return None
    is_text = isinstance(response_format, Mapping) and response_format.get("type") == "text"
    return "text" if is_text else "json"  # a schema, or a class that stands for one


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    messages = with_texts(invocation.kwargs["messages"], "input", edits)
    return replace(invocation, kwargs={**invocation.kwargs, "messages": messages})


def _response(answer: Any) -> Response | None:
    if is_raw(answer) and not hasattr(type(answer), "content"):
        return None  # with_streaming_response: its body is not read yet, and not ours to read
    completion = answer.parse() if is_raw(answer) else answer  # a raw response keeps what it parsed
    choices = completion.choices or ()
    return Response(
        id=completion.id,
        model=completion.model,
        output=tuple([message_of(choice.message, choice.finish_reason) for choice in choices]),
        finish_reasons=tuple([choice.finish_reason for choice in choices if choice.finish_reason]),
        usage=_usage(completion.usage),
    )


def _usage(usage: Any) -> Usage:
    counts = fields(usage)
    read, written = fields(counts.get("prompt_tokens_details")), fields(counts.get("completion_tokens_details"))
    return Usage(
        input_tokens=counts.get("prompt_tokens"),
        output_tokens=counts.get("completion_tokens"),
        cache_read_input_tokens=read.get("cached_tokens"),
        cache_write_input_tokens=read.get("cache_write_tokens"),
        reasoning_output_tokens=written.get("reasoning_tokens"),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    if not is_raw(answer):
        return changed(answer, choices=_edited(answer.choices, edits))
    body = answer.http_response.json()
    return with_body(answer, {**body, "choices": _edited(body["choices"], edits)})


def _edited(choices: Any, edits: Edits) -> list[Any]:
    before = [fields(choice)["message"] for choice in choices]
    return [
        choice if message is old else changed(choice, message=_unparsed(message), logprobs=None)
        for choice, old, message in zip(choices, before, with_texts(before, "output", edits), strict=True)
    ]


def _unparsed(message: Any) -> Any:
    """Without what a client made of the text as it was."""
    return changed(message, parsed=None) if fields(message).get("parsed") is not None else message


def _stream_in(answer: Any) -> Any | None:
    if is_raw(answer) and getattr(answer, "_stream", False):
        answer = answer.parse()
    return answer if isinstance(answer, _stream_types()) else None


@lru_cache(maxsize=1)
def _stream_types() -> tuple[type, ...]:
    from openai import AsyncStream, Stream

    return Stream, AsyncStream


_ADAPTER = Adapter(
    provider="openai",
    package="openai",
    install="specspan[openai]",
    methods=tuple(
        f"{module}:{prefix}Completions.{method}"
        for module in ("openai.resources.chat.completions", "openai.resources.beta.chat.completions")
        for prefix in ("", "Async")
        for method in ("create", "parse")
    ),
    prepare=_prepare,
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    accumulator=ChatAccumulator,
    deltas=deltas,
    cut=cut,
    stream_in=_stream_in,
    put_stream=put_stream,
)

ADAPTERS = (_ADAPTER,)
