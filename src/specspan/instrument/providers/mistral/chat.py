"""Mistral's chat, fill-in-the-middle and embeddings methods, and the events of their streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Delta, Edits, Invocation, Streaming
from specspan.instrument.formats.carried_answers import answer_in_frame
from specspan.instrument.formats.fields import as_list, as_mapping, copy_with, count_not_understood
from specspan.instrument.formats.generated_client import read_through
from specspan.instrument.formats.known_chat import CHAT, CHAT_CHUNK
from specspan.instrument.formats.openai_chat import edit_messages
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator
from specspan.instrument.formats.openai_chat_stream import cut as cut_chunk
from specspan.instrument.formats.openai_chat_stream import deltas as chunk_deltas
from specspan.instrument.providers.mistral import responses
from specspan.instrument.providers.mistral.client import (
    INSTALL,
    PACKAGE,
    PROVIDER,
    build_request,
    chunk_in_error,
    method_paths,
    service_of,
    without_defaults,
)
from specspan.instrument.providers.openai import chat as openai_chat
from specspan.instrument.providers.openai import embeddings as openai_embeddings

_COMPLETION, _EMBEDDINGS = "text_completion", "embeddings"


def _build_chat_request(invocation: Invocation, *, streaming: bool = False) -> Request:
    return build_request(invocation, invocation.kwargs["messages"], streaming=streaming)


def _name_arguments(invocation: Invocation) -> Invocation:
    """Name the first positional argument, which may be the response format."""
    if invocation.args:
        arguments = {"response_format": invocation.args[0], **invocation.kwargs}
        if len(invocation.args) == 1 and len(arguments) > len(invocation.kwargs):
            invocation = replace(invocation, args=(), kwargs=arguments)
    return invocation


def _read_response(answer: Any) -> Response | None:
    body = without_defaults(answer)
    for choice in as_list(as_mapping(body).get("choices")):
        if as_mapping(choice).get("messages"):
            count_not_understood()  # they are no part of the recorded answer
    return openai_chat.ADAPTER.response(body)


def _answer_in_error(error: BaseException) -> Any | None:
    """Return the answer that ``parse`` could not make an object of."""
    for function in ("parse", "parse_async"):
        if (answer := answer_in_frame(error, function, "response")) is not None:
            return answer
    return None


def _fim_message(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message with the texts before and after the gap to be filled."""
    texts = [arguments.get(name) for name in ("prompt", "suffix")]
    return {"role": "user", "content": [{"type": "text", "text": each} for each in texts if each]}


def _build_fim_request(invocation: Invocation, *, streaming: bool = False) -> Request:
    return replace(
        build_request(invocation, [_fim_message(invocation.kwargs)], streaming=streaming), operation=_COMPLETION
    )


def _edit_fim_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = invocation.kwargs
    (edited,) = edit_messages([_fim_message(arguments)], "input", edits)
    names = [name for name in ("prompt", "suffix") if arguments.get(name)]
    texts = {name: item["text"] for name, item in zip(names, edited["content"], strict=True)}
    return replace(invocation, kwargs={**arguments, **texts})


def _build_embeddings_request(invocation: Invocation) -> Request:
    arguments = {**invocation.kwargs, "input": invocation.kwargs["inputs"]}
    return openai_embeddings.build_request(Invocation(invocation.instance, (), arguments), service_of(invocation))


def _read_embeddings_response(answer: Any) -> Response | None:
    fields = as_mapping(answer)
    return openai_embeddings.ADAPTER.response(
        {"model": fields.get("model"), "usage": without_defaults(fields.get("usage"))}
    )


class MistralAccumulator(ChatAccumulator):
    """Accumulator that builds a chat completion from the events of a stream."""

    __slots__ = ()

    def add(self, event: Any) -> None:
        super().add(event.data)

    def result(self) -> Any:
        answer = super().result()
        answer.usage = without_defaults(answer.usage)
        return answer


def deltas(event: Any) -> Iterator[Delta]:
    """Yield the answer's text in an event by choice and field, without reasoning."""
    return chunk_deltas(event.data)


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the last event of a cut stream, with ``text`` and the finish reason ``content_filter``.

    The client accepts a reason that it has no value for as a type of its own.
    """
    chunk = cut_chunk(event.data, choice, text)
    return type(event).model_validate({"data": chunk.model_dump(warnings=False)})


def _edit_data(event: Any, edit: Callable[[Any], Any]) -> Any:
    return copy_with(event, data=edit(event.data))


_EVENT_FIELDS = replace(CHAT_CHUNK, body=attrgetter("data"), edit=_edit_data)


def _streaming_adapter(adapter: Adapter, *classes: str, request: Any) -> Adapter:
    return replace(
        adapter,
        methods=method_paths(*classes, names=("stream",)),
        request=partial(request, streaming=True),
        streaming=Streaming(
            accumulator=MistralAccumulator,
            deltas=deltas,
            cut=cut,
            fields=_EVENT_FIELDS,
            find_stream=lambda stream: stream,
            keep=read_through("generator"),
            source=attrgetter("response"),  # a closed stream gives nothing more, and what ends a cut one is to come
            chunk_in=chunk_in_error,
        ),
    )


_CHAT_CLASSES = ("client.chat:Chat", "azure.client.chat:Chat", "gcp.client.chat:Chat")
_COMPLETE_CLASSES = (*_CHAT_CLASSES, "client.agents:Agents")
_FIM_CLASSES = ("client.fim:Fim", "gcp.client.fim:Fim")

_CHAT = Adapter(
    provider=PROVIDER,
    package=PACKAGE,
    install=INSTALL,
    methods=method_paths(*_COMPLETE_CLASSES, names=("complete",)) + method_paths(_CHAT_CLASSES[0], names=("parse",)),
    prepare=_name_arguments,
    request=_build_chat_request,
    response=_read_response,
    edit_request=openai_chat.ADAPTER.edit_request,
    edit_response=openai_chat.ADAPTER.edit_response,
    answer_in=_answer_in_error,
    fields=CHAT,
)
_FIM = replace(
    _CHAT,
    operation=_COMPLETION,
    methods=method_paths(*_FIM_CLASSES, names=("complete",)),
    request=_build_fim_request,
    edit_request=_edit_fim_request,
)
_EMBED = replace(
    _CHAT,
    operation=_EMBEDDINGS,
    methods=method_paths("client.embeddings:Embeddings", names=("create",)),
    request=_build_embeddings_request,
    response=_read_embeddings_response,
    fields=None,
    edit_request=partial(openai_embeddings.edit_request, name="inputs"),
    edit_response=openai_embeddings.ADAPTER.edit_response,
)

ADAPTERS = (
    _CHAT,
    _streaming_adapter(_CHAT, *_COMPLETE_CLASSES, request=_build_chat_request),
    _FIM,
    _streaming_adapter(_FIM, *_FIM_CLASSES, request=_build_fim_request),
    _EMBED,
    responses.ADAPTER,
)
