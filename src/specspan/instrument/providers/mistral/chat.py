"""Mistral: the service itself, and its models on Azure and Vertex AI through the same client."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from specspan.call import Reasoning, Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import as_list, as_mapping, count_not_understood
from specspan.instrument.formats.generated_client import buffer_iterators
from specspan.instrument.formats.openai_chat import ChatAccumulator, edit_messages, read_message
from specspan.instrument.formats.openai_chat import cut as cut_chunk
from specspan.instrument.providers.mistral import responses as _mistral_responses
from specspan.instrument.providers.mistral.client import (
    INSTALL,
    PACKAGE,
    PROVIDER,
    build_request,
    method_paths,
    service_of,
    without_defaults,
)
from specspan.instrument.providers.openai import chat as _openai_chat
from specspan.instrument.providers.openai import embeddings as _openai_embeddings

# MERGED _mistral_stream: Events of Mistral's streams: chunks in the shape of chat completions, with Mistral's own
# kinds of content.


class MistralAccumulator(ChatAccumulator):
    """Folds events into what stands for an answer."""

    __slots__ = ("_by_id", "_by_index")

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._by_id: dict[str, int] = {}
        self._by_index: dict[tuple[int, int], int] = {}

    def add(self, event: Any) -> None:
        chunk = event.data
        if any(each.delta.tool_calls or each.delta.content.__class__ is list for each in chunk.choices):
            choices = [self._as_openai_choice(each) for each in chunk.choices]
            chunk = SimpleNamespace(id=chunk.id, model=chunk.model, usage=chunk.usage, choices=choices)
        super().add(chunk)

    def result(self) -> Any:
        answer = super().result()
        answer.usage = without_defaults(answer.usage)
        return answer

    def _as_openai_choice(self, choice: Any) -> Any:
        """A choice as OpenAI would have it: text is text, thoughts beside it, pieces of tool calls numbered."""
        delta = choice.delta
        spoken = {
            "content": _join_text(delta.content),
            "reasoning_content": _join_thinking(delta.content),
            "tool_calls": [self._as_openai_tool_call(choice.index, piece) for piece in delta.tool_calls or ()],
            "__pydantic_extra__": None,
        }
        return SimpleNamespace(index=choice.index, delta=SimpleNamespace(**spoken), finish_reason=choice.finish_reason)

    def _as_openai_tool_call(self, choice: int, piece: Any) -> Any:
        """A piece of a tool call, with the number of that call. One with an id of its own is another call's: not every
        model numbers them.
        """
        named = piece.id not in (None, "null")
        if named:
            self._by_index[choice, piece.index] = self._by_id.setdefault(piece.id, len(self._by_id))
        arguments = piece.function.arguments
        function = SimpleNamespace(
            name=piece.function.name, arguments=arguments if isinstance(arguments, str) else json.dumps(arguments)
        )
        number = self._by_index.get((choice, piece.index), piece.index)
        return SimpleNamespace(index=number, id=piece.id if named else None, function=function)


def _join_thinking(content: Any) -> str:
    """What was thought, in content that is a list."""
    parts = read_message({"content": content}).parts if isinstance(content, list) else ()
    return "".join(part.content for part in parts if isinstance(part, Reasoning))


def _join_text(content: Any) -> str:
    """The text in a delta's content, whole or among other blocks."""
    if isinstance(content, str):
        return content
    texts = [as_mapping(each).get("text") for each in content] if isinstance(content, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event, by choice: of answers, not of thoughts."""
    for choice in event.data.choices:
        if text := _join_text(choice.delta.content):
            yield choice.index, text


def cut(event: Any, choice: int, text: str) -> Any:
    """The last event of a stream that is cut: ``text``, and the reason that the conventions have for it.

    The client knows of reasons that it does not know, by a type of its own.
    """
    chunk = cut_chunk(event.data, choice, text)
    return type(event).model_validate({"data": chunk.model_dump(warnings=False)})


_COMPLETION, _EMBEDDINGS = "text_completion", "embeddings"


def _build_chat_request(invocation: Invocation, *, streaming: bool = False) -> Request:
    return build_request(invocation, invocation.kwargs["messages"], streaming=streaming)


def _name_arguments(invocation: Invocation) -> Invocation:
    """The format of an answer may stand in its place, which is the first."""
    if invocation.args:
        given = {"response_format": invocation.args[0], **invocation.kwargs}
        if len(invocation.args) == 1 and len(given) > len(invocation.kwargs):
            invocation = replace(invocation, args=(), kwargs=given)
    return _buffer_iterators(invocation)


_buffer_iterators = buffer_iterators("messages", "tools")


def _read_response(answer: Any) -> Response | None:
    found = without_defaults(answer)
    for choice in as_list(as_mapping(found).get("choices")):
        if as_mapping(choice).get("messages"):
            count_not_understood()  # several messages in place of one
    return _openai_chat.ADAPTER.response(found)


def _fim_message(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a text is to be written between, as a message."""
    texts = [given.get(name) for name in ("prompt", "suffix")]
    return {"role": "user", "content": [{"type": "text", "text": each} for each in texts if each]}


def _build_fim_request(invocation: Invocation, *, streaming: bool = False) -> Request:
    return replace(
        build_request(invocation, [_fim_message(invocation.kwargs)], streaming=streaming), operation=_COMPLETION
    )


def _edit_fim_request(invocation: Invocation, edits: Edits) -> Invocation:
    given = invocation.kwargs
    (edited,) = edit_messages([_fim_message(given)], "input", edits)
    names = [name for name in ("prompt", "suffix") if given.get(name)]
    texts = {name: item["text"] for name, item in zip(names, edited["content"], strict=True)}
    return replace(invocation, kwargs={**given, **texts})


def _build_embeddings_request(invocation: Invocation) -> Request:
    given = {**invocation.kwargs, "input": invocation.kwargs["inputs"]}
    return _openai_embeddings.build_request(Invocation(invocation.instance, (), given), service_of(invocation))


def _read_embeddings_response(answer: Any) -> Response | None:
    found = as_mapping(answer)
    return _openai_embeddings.ADAPTER.response(
        {"model": found.get("model"), "usage": without_defaults(found.get("usage"))}
    )


def _streaming_adapter(adapter: Adapter, *classes: str, request: Any) -> Adapter:
    return replace(
        adapter,
        methods=method_paths(*classes, names=("stream",)),
        request=partial(request, streaming=True),
        accumulator=MistralAccumulator,
        deltas=deltas,
        cut=cut,
        stream_in=lambda stream: stream,
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
    edit_request=_openai_chat.ADAPTER.edit_request,
    edit_response=_openai_chat.ADAPTER.edit_response,
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
    prepare=buffer_iterators("inputs"),
    request=_build_embeddings_request,
    response=_read_embeddings_response,
    edit_request=partial(_openai_embeddings.edit_request, name="inputs"),
    edit_response=_openai_embeddings.ADAPTER.edit_response,
)

ADAPTERS = (
    _CHAT,
    _streaming_adapter(_CHAT, *_COMPLETE_CLASSES, request=_build_chat_request),
    _FIM,
    _streaming_adapter(_FIM, *_FIM_CLASSES, request=_build_fim_request),
    _EMBED,
    _mistral_responses.ADAPTER,
)
