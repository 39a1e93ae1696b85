"""Anthropic messages: the service itself, and its clients for Amazon Bedrock and Google Vertex AI."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from specspan.call import Attribute, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats import raw_response as _raw
from specspan.instrument.formats.anthropic_messages import edited_messages, message_of, parts_of, with_texts
from specspan.instrument.formats.anthropic_stream import MessageAccumulator, closing, cut, deltas
from specspan.instrument.formats.fields import Fields, changed, count, fields, finish_reason, not_understood, word
from specspan.instrument.formats.generated_client import methods, reads_once, said, server_of

_PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k")
_PROVIDERS = {"Bedrock": "aws.bedrock", "Vertex": "gcp.vertex_ai"}


def _request(invocation: Invocation, *, streaming: bool = False) -> Request:
    given = invocation.kwargs
    client = invocation.instance._client
    return Request(
        provider=_provider(client.__class__),
        model=given.get("model"),
        parameters=dict(_parameters(given)),
        output_type=_output_type(given),
        input=tuple(map(message_of, given["messages"])),
        system_instructions=parts_of(said(given.get("system")) or ""),
        tools=tuple(each for each in said(given.get("tools")) or () if isinstance(each, Mapping)),
        streaming=streaming or bool(given.get("stream")),
        **server_of(client),
    )


@lru_cache(maxsize=64)
def _provider(client: type) -> str:
    """``gen_ai.provider.name``: whose service carries the model."""
    found = (name for word, name in _PROVIDERS.items() for base in client.__mro__ if word in base.__name__)
    return next(found, "anthropic")


def _parameters(given: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    sent = {**given, **(given.get("extra_body") or {})}  # what newer clients no longer name is sent so
    for name in _PARAMETERS:
        value = sent.get(name)
        if isinstance(value, (int, float)):
            yield name, value
    if stops := sent.get("stop_sequences"):
        yield "stop_sequences", tuple(stops)


def _output_type(given: Mapping[str, Any]) -> str | None:
    """``gen_ai.output.type``: JSON where a schema was asked for."""
    config = given.get("output_config")
    schema = said(given.get("output_format")) or (config.get("format") if isinstance(config, Mapping) else None)
    return "json" if schema else None


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    given = invocation.kwargs
    changes: dict[str, Any] = {"messages": edited_messages(given["messages"], edits)}
    if system := given.get("system"):
        changes["system"] = with_texts(system, "/system_instructions/", edits)
    return replace(invocation, kwargs={**given, **changes})


def _response(answer: Any) -> Response | None:
    message = _raw.answered(answer)
    if message is None:
        return None
    if not (isinstance(message, Mapping) or hasattr(message, "content")):
        not_understood()  # no message, but a page of a proxy's, or the like
        return None
    return message_response(message)


def message_response(message: Any) -> Response:
    """Read a message, as a dict or as the client's object."""
    found = fields(message)
    reason = finish_reason(found.get("stop_reason"))
    return Response(
        id=word(found.get("id")),
        model=word(found.get("model")),
        output=(message_of(found, reason),),
        finish_reasons=(reason,) if reason else (),
        usage=_usage(fields(found.get("usage"))),
    )


def _usage(usage: Fields) -> Usage:
    fresh, read, written = (
        count(usage.get(name)) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),  # theirs leaves the cached out
        output_tokens=count(usage.get("output_tokens")),
        cache_read_input_tokens=read,
        cache_write_input_tokens=written,
        reasoning_output_tokens=count(fields(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    return _raw.edited(
        answer,
        lambda found: changed(found, content=with_texts(fields(found)["content"], "/output/0/parts/", edits)),
    )


def _stream_in(answer: Any) -> Any | None:
    return _raw.stream_in(answer, _stream_types())


@lru_cache(maxsize=1)
def _stream_types() -> tuple[type, ...]:
    from anthropic import AsyncStream, Stream

    return Stream, AsyncStream


def _put_helped_stream(helper: Any, stream: Any) -> Any:
    helper._raw_stream = stream
    return helper


_CLASSES = (
    "anthropic.lib.bedrock._beta_messages:Messages",  # first: they hold methods of the others
    "anthropic.lib.vertex._beta_messages:Messages",
    "anthropic.resources.messages:Messages",
    "anthropic.resources.beta.messages:Messages",
)
_CREATE = Adapter(
    provider="anthropic",
    package="anthropic",
    install="specspan[anthropic]",
    methods=methods(*_CLASSES, names=("create", "parse")),
    prepare=reads_once("messages", "tools", "system"),
    request=_request,
    response=_response,
    load=_raw.load,
    edit_request=_edit_request,
    edit_response=_edit_response,
    accumulator=MessageAccumulator,
    deltas=deltas,
    cut=cut,
    closing=closing,
    stream_in=_stream_in,
    put_stream=_raw.put_stream,
)
_STREAM = replace(
    _CREATE,
    methods=methods(*_CLASSES, names=("stream",)),
    on_entry=True,
    request=partial(_request, streaming=True),
    stream_in=lambda helper: helper._raw_stream,
    put_stream=_put_helped_stream,
)

ADAPTERS = (_CREATE, _STREAM)
