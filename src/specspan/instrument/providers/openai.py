"""OpenAI chat completions: the service itself, Azure's, and whatever else the ``openai`` client talks to."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from specspan.call import Attribute, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.providers._chat import changed, get, message_of, with_texts
from specspan.instrument.providers._chat_stream import ChatAccumulator, cut, deltas

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
    once = {name: invocation.kwargs.get(name) for name in ("messages", "tools")}
    read = {name: list(each) for name, each in once.items() if isinstance(each, Iterator)}
    return replace(invocation, kwargs={**invocation.kwargs, **read}) if read else invocation


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
    for name, recorded in _PARAMETERS.items():
        if isinstance(given.get(name), (int, float)):
            yield recorded, given[name]
    stop = _said(given.get("stop"))
    if stop is not None:
        yield "stop_sequences", (stop,) if isinstance(stop, str) else tuple(stop)
    count = given.get("n")
    if isinstance(count, int) and count != 1:
        yield "choice.count", count


def _output_type(response_format: Any) -> str | None:
    """``gen_ai.output.type``."""
    if response_format is None:
        return None
    kind = get(response_format, "type") if isinstance(response_format, Mapping) else "json_schema"  # a class
    return "text" if kind == "text" else "json"


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    messages = with_texts(invocation.kwargs["messages"], "input", edits)
    return replace(invocation, kwargs={**invocation.kwargs, "messages": messages})


def _response(answer: Any) -> Response | None:
    if _is_raw(answer) and not hasattr(type(answer), "content"):
        return None  # with_streaming_response: its body is not read yet, and not ours to read
    completion = answer.parse() if _is_raw(answer) else answer  # a raw response keeps what it parsed
    choices = completion.choices or ()
    return Response(
        id=completion.id,
        model=completion.model,
        output=tuple(message_of(choice.message, choice.finish_reason) for choice in choices),
        finish_reasons=tuple(choice.finish_reason for choice in choices if choice.finish_reason),
        usage=_usage(completion.usage),
    )


def _is_raw(answer: Any) -> bool:
    return "http_response" in vars(answer)


def _usage(usage: Any) -> Usage:
    read, written = get(usage, "prompt_tokens_details"), get(usage, "completion_tokens_details")
    return Usage(
        input_tokens=get(usage, "prompt_tokens"),
        output_tokens=get(usage, "completion_tokens"),
        cache_read_input_tokens=get(read, "cached_tokens"),
        cache_write_input_tokens=get(read, "cache_write_tokens"),
        reasoning_output_tokens=get(written, "reasoning_tokens"),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    if not _is_raw(answer):
        return changed(answer, choices=_edited(answer.choices, edits))
    # what was taken out must not be read from the bytes of the body either
    before = answer.http_response
    body = before.json()
    body["choices"] = _edited(body["choices"], edits)
    headers = {name: value for name, value in before.headers.items() if name not in _ABOUT_THE_BYTES}
    after = type(before)(before.status_code, headers=headers, content=json.dumps(body).encode(), request=before.request)
    with suppress(RuntimeError):  # not every transport measures it
        after.elapsed = before.elapsed
    edited = copy.copy(answer)
    edited.http_response, edited._parsed_by_type = after, {}
    return edited


_ABOUT_THE_BYTES = frozenset(("content-length", "content-encoding", "transfer-encoding"))


def _edited(choices: Any, edits: Edits) -> list[Any]:
    messages = with_texts((get(choice, "message") for choice in choices), "output", edits)
    return [
        choice if get(choice, "message") is message else changed(choice, message=_unparsed(message), logprobs=None)
        for choice, message in zip(choices, messages, strict=True)
    ]


def _unparsed(message: Any) -> Any:
    """Without what a client made of the text as it was."""
    return changed(message, parsed=None) if get(message, "parsed") is not None else message


def _stream_in(answer: Any) -> Any | None:
    from openai import AsyncStream, Stream

    if _is_raw(answer) and getattr(answer, "_stream", False):
        answer = answer.parse()
    return answer if isinstance(answer, (Stream, AsyncStream)) else None


def _put_stream(answer: Any, stream: Any) -> Any:
    if _is_raw(answer):
        answer._parsed_by_type[answer._cast_to] = stream
        return answer
    return stream


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
    put_stream=_put_stream,
)

ADAPTERS = (_ADAPTER,)
