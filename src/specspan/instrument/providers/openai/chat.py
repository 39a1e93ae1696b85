"""Chat completions of the ``openai`` client: OpenAI, Azure, and other services that the client connects to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan.call import NOT_COUNTED, Attribute, Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats.carried_answers import answer_in_error
from specspan.instrument.formats.fields import (
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
    list_or_item,
    texts_in,
)
from specspan.instrument.formats.generated_client import method_paths, read_through, unset_to_none
from specspan.instrument.formats.known_chat import CHAT, CHAT_CHUNK
from specspan.instrument.formats.openai_chat import edit_messages, read_choice, read_message
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator, cut, deltas
from specspan.instrument.formats.raw_response import edit_answer, load, put_stream, unwrap
from specspan.instrument.formats.usual_chat_chunks import UsualChatChunks
from specspan.instrument.providers.openai.client import (
    RETRIEVAL,
    Service,
    build_retrieval,
    find_stream,
    read_usage,
    service_of,
)

_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}


def _build_openai_request(invocation: Invocation) -> Request:
    return build_request(invocation, service_of(invocation.instance._client))


def build_request(invocation: Invocation, service: Service) -> Request:
    """Build the request to a service, from the arguments of any client with OpenAI's parameters."""
    arguments = invocation.kwargs
    return Request(
        model=unset_to_none(arguments.get("model")),
        parameters=dict(read_parameters(arguments)),
        output_type=output_type(unset_to_none(arguments.get("response_format"))),
        input=tuple(map(read_message, as_list(arguments["messages"]))),
        tools=tuple(unset_to_none(arguments.get("tools")) or ()),
        streaming=bool(arguments.get("stream")),
        repeated=read_labels(arguments),
        **service,
    )


def read_parameters(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    """Yield the attributes under ``gen_ai.request.``."""
    for name, value in arguments.items():
        if name in _PARAMETERS and isinstance(value, (int, float)):
            yield _PARAMETERS[name], value
        elif name == "stop" and value:
            yield "stop_sequences", (value,) if isinstance(value, str) else tuple(value)
        elif name == "n" and isinstance(value, int) and value != 1:
            yield "choice.count", value


def read_labels(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the application's own labels of a call, which the service repeats in its answer."""
    labels = unset_to_none(arguments.get("metadata"))
    return () if labels is None else tuple(texts_in(labels))


def output_type(response_format: Any) -> str | None:
    """Return the attribute ``gen_ai.output.type``."""
    if response_format is None:
        return None
    is_text = not isinstance(response_format, type) and as_mapping(response_format).get("type") == "text"
    return "text" if is_text else "json"  # a schema, or a class that defines one


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    messages = edit_messages(invocation.kwargs["messages"], "input", edits)
    return replace(invocation, kwargs={**invocation.kwargs, "messages": messages})


def _read_response(answer: Any) -> Response | None:
    body = unwrap(answer)
    if body is None:
        return None
    completion = as_mapping(body)
    choices = list(list_or_item(completion.get("choices") or ()))
    reasons = [as_finish_reason(as_mapping(choice).get("finish_reason")) for choice in choices]
    return Response(
        id=as_str(completion.get("id")),
        model=as_str(completion.get("model")),
        output=tuple([read_choice(choice, reason) for choice, reason in zip(choices, reasons)]),  # noqa: B905 - as many
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=read_usage(completion.get("usage"), "prompt", "completion"),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    return edit_answer(answer, lambda body: copy_with(body, choices=_edit_choices(as_mapping(body)["choices"], edits)))


def _edit_choices(choices: Any, edits: Edits) -> list[Any]:
    before = [as_mapping(choice).get("message") for choice in choices]
    return [
        choice
        if message is old
        else copy_with(choice, message=_without_parsed(message), **cleared(choice, "logprobs", "text"))
        for choice, old, message in zip(choices, before, edit_messages(before, "output", edits), strict=True)
    ]


def _without_parsed(message: Any) -> Any:
    """Return a message without the object that the client parsed from the unedited text."""
    return copy_with(message, parsed=None) if as_mapping(message).get("parsed") is not None else message


STREAMING = Streaming(
    accumulator=ChatAccumulator,
    deltas=deltas,
    cut=cut,
    find_stream=find_stream,
    usual=UsualChatChunks,
    fields=CHAT_CHUNK,
    keep=read_through("_iterator"),
    put_stream=put_stream,
)
_CLASSES = ("openai.resources.chat.completions:Completions", "openai.resources.beta.chat.completions:Completions")
ADAPTER = Adapter(
    provider="openai",
    package="openai",
    install="specspan[openai]",
    methods=method_paths(*_CLASSES, names=("create", "parse")),
    request=_build_openai_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    load=load,
    answer_in=answer_in_error,
    fields=CHAT,
    streaming=STREAMING,
)


def _read_stored(answer: Any) -> Response | None:
    """Read an answer that was made before, when its tokens were counted."""
    response = _read_response(answer)
    return None if response is None else replace(response, usage=NOT_COUNTED)


RETRIEVE = replace(
    ADAPTER,
    operation=RETRIEVAL,
    methods=method_paths(*_CLASSES, names=("retrieve", "update")),
    request=build_retrieval,
    response=_read_stored,
)
