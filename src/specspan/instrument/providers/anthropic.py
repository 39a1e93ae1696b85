"""Anthropic's messages: the service itself, and its clients for Amazon Bedrock and Google Vertex AI."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from specspan.call import Attribute, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats import raw_response
from specspan.instrument.formats.anthropic_messages import edit_content, edit_messages, read_message, read_parts
from specspan.instrument.formats.anthropic_stream import MessageAccumulator, closing_events, cut, deltas, part_of
from specspan.instrument.formats.carried_answers import answer_in_error
from specspan.instrument.formats.fields import (
    Fields,
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    copy_with,
    count_not_understood,
)
from specspan.instrument.formats.generated_client import method_paths, read_through, server_of, unset_to_none
from specspan.instrument.formats.known_anthropic import MESSAGE_EVENT, MESSAGES
from specspan.instrument.formats.requested_paths import adapter_by_path

_PARAMETERS = ("max_tokens", "temperature", "top_p", "top_k")
_PROVIDERS = {"Bedrock": "aws.bedrock", "Vertex": "gcp.vertex_ai"}


def _build_request(invocation: Invocation, *, streaming: bool = False) -> Request:
    arguments = invocation.kwargs
    client = invocation.instance._client
    return Request(
        provider=_provider(client.__class__),
        model=arguments.get("model"),
        parameters=dict(_read_parameters(arguments)),
        output_type=_output_type(arguments),
        input=tuple(map(read_message, arguments["messages"])),
        system_instructions=read_parts(unset_to_none(arguments.get("system")) or ""),
        tools=tuple(each for each in unset_to_none(arguments.get("tools")) or () if isinstance(each, Mapping)),
        streaming=streaming or bool(arguments.get("stream")),
        **server_of(client),
    )


@lru_cache(maxsize=64)
def _provider(client: type) -> str:
    """Return ``gen_ai.provider.name`` of the service that a class of clients connects to."""
    names = (name for word, name in _PROVIDERS.items() for base in client.__mro__ if word in base.__name__)
    return next(names, "anthropic")


def _read_parameters(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    sent = {**arguments, **(arguments.get("extra_body") or {})}  # newer clients send dropped parameters this way
    for name in _PARAMETERS:
        value = sent.get(name)
        if isinstance(value, (int, float)):
            yield name, value
    if stops := sent.get("stop_sequences"):
        yield "stop_sequences", tuple(stops)


def _output_type(arguments: Mapping[str, Any]) -> str | None:
    """Return ``gen_ai.output.type``, which is JSON if the request has a schema."""
    config = arguments.get("output_config")
    schema = unset_to_none(arguments.get("output_format")) or (
        config.get("format") if isinstance(config, Mapping) else None
    )
    return "json" if schema else None


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = invocation.kwargs
    changes: dict[str, Any] = {"messages": edit_messages(arguments["messages"], edits)}
    if system := arguments.get("system"):
        changes["system"] = edit_content(system, "/system_instructions/", edits)
    return replace(invocation, kwargs={**arguments, **changes})


def _read_response(answer: Any) -> Response | None:
    message = raw_response.unwrap(answer)
    if message is None:
        return None
    if not (isinstance(message, Mapping) or hasattr(message, "content")):
        count_not_understood()  # not a message, but for example a proxy's error page: read as unknown fields
        return Response()
    return read_message_response(message)


def read_message_response(message: Any) -> Response:
    """Read a message, as a dict or as the client's object."""
    fields = as_mapping(message)
    reason = as_finish_reason(fields.get("stop_reason"))
    return Response(
        id=as_str(fields.get("id")),
        model=as_str(fields.get("model")),
        output=(read_message(fields, reason),),
        finish_reasons=(reason,) if reason else (),
        usage=_read_usage(as_mapping(fields.get("usage"))),
    )


def _read_usage(usage: Fields) -> Usage:
    """Read token counts; those of compactions are not in the totals of the service."""
    counts = _read_counts(usage)
    for iteration in map(as_mapping, as_list(usage.get("iterations"))):
        if iteration.get("type") == "compaction":
            counts = _add_counts(counts, _read_counts(iteration))
    return counts


def _read_counts(usage: Fields) -> Usage:
    fresh, read, written = (
        as_count(usage.get(name)) for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    return Usage(
        input_tokens=None
        if fresh is None
        else fresh + (read or 0) + (written or 0),  # Anthropic leaves cached tokens out
        output_tokens=as_count(usage.get("output_tokens")),
        cache_read_input_tokens=read,
        cache_write_input_tokens=written,
        reasoning_output_tokens=as_count(as_mapping(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def _add_counts(usage: Usage, more: Usage) -> Usage:
    sums = {
        each.name: None if (count := getattr(usage, each.name)) is None else count + (getattr(more, each.name) or 0)
        for each in dataclasses.fields(usage)
    }
    return Usage(**sums)


def _edit_response(answer: Any, edits: Edits) -> Any:
    return raw_response.edit_answer(
        answer,
        lambda message: copy_with(
            message, content=edit_content(as_mapping(message)["content"], "/output/0/parts/", edits)
        ),
    )


def _find_stream(answer: Any) -> Any | None:
    return raw_response.find_stream(answer, "anthropic")


def _put_stream_in_manager(helper: Any, stream: Any) -> Any:
    helper._raw_stream = stream
    return helper


_CLASSES = (
    "anthropic.lib.bedrock._beta_messages:Messages",  # first, because these classes hold methods of the others
    "anthropic.lib.vertex._beta_messages:Messages",
    "anthropic.resources.messages:Messages",
    "anthropic.resources.beta.messages:Messages",
)
_STREAMING = Streaming(
    accumulator=MessageAccumulator,
    deltas=deltas,
    part_of=part_of,
    cut=cut,
    find_stream=_find_stream,
    fields=MESSAGE_EVENT,
    keep=read_through("_iterator"),
    put_stream=raw_response.put_stream,
    closing_events=closing_events,
)
_CREATE = Adapter(
    provider="anthropic",
    package="anthropic",
    install="specspan[anthropic]",
    methods=method_paths(*_CLASSES, names=("create", "parse")),
    request=_build_request,
    response=_read_response,
    load=raw_response.load,
    edit_request=_edit_request,
    edit_response=_edit_response,
    answer_in=answer_in_error,
    fields=MESSAGES,
    streaming=_STREAMING,
)
_STREAM = replace(
    _CREATE,
    methods=method_paths(*_CLASSES, names=("stream",)),
    on_entry=True,
    request=partial(_build_request, streaming=True),
    streaming=replace(
        _STREAMING,
        find_stream=lambda manager: manager._raw_stream,
        put_stream=_put_stream_in_manager,
    ),
)

_REQUESTS = adapter_by_path(
    "anthropic",
    "Anthropic",
    _CREATE.install,
    (
        ("post", "v1/messages", _CREATE),
        ("get", "v1/messages/batches/[^/]+/results", "results of batches"),
        ("get post", "v1/sessions/[^/]+/events(?:/stream)?", "events of sessions"),
        ("get", "v1/sessions/[^/]+/threads/.*", "events of threads in sessions"),
        ("get", "v1/files/[^/]+/content", "contents of files"),
    ),
)
ADAPTERS = (_CREATE, _STREAM, _REQUESTS)
