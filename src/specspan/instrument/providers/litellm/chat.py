"""Completions, responses, text completions and embeddings of LiteLLM, a client for many providers.

The calls that LiteLLM makes through other clients are part of its own call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats.fields import as_list, as_mapping, copy_with
from specspan.instrument.formats.generated_client import name_arguments
from specspan.instrument.formats.known_chat import DELTA, MESSAGE, chat_of, choice_of
from specspan.instrument.formats.known_fields import WHOLE, AnswerFields, Known, known, with_fields
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator
from specspan.instrument.providers.litellm.client import (
    INSTALL,
    PROVIDER,
    find_stream,
    method_paths,
    service_of,
    stream_source,
    without_invented_counts,
    without_original_response,
)
from specspan.instrument.providers.openai import (
    chat as openai_chat,
)
from specspan.instrument.providers.openai import (
    completions as openai_completions,
)
from specspan.instrument.providers.openai import (
    embeddings as openai_embeddings,
)
from specspan.instrument.providers.openai import (
    responses as openai_responses,
)
from specspan.instrument.providers.openai.client import Service

BuildRequest = Callable[[Invocation, Service], Request]


class LiteLLMAccumulator(ChatAccumulator):
    """Accumulator of chat chunks that finds hidden usage in the last one.

    LiteLLM hides the usage if the application did not ask for it.
    """

    __slots__ = ("_hidden",)

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._hidden: Any = {}

    def add(self, chunk: Any) -> None:
        super().add(chunk)
        self._hidden = getattr(chunk, "_hidden_params", self._hidden)

    def result(self) -> Any:
        answer = super().result()
        usage = self._hidden.get("usage") if answer.usage is None else answer.usage
        return SimpleNamespace(**{**vars(answer), "usage": usage})


def _read_chat_response(answer: Any) -> Response | None:
    return openai_chat.ADAPTER.response(_with_refusals(answer))


def _edit_chat_response(answer: Any, edits: Edits) -> Any:
    edited = openai_chat.ADAPTER.edit_response(_with_refusals(answer), edits)
    return copy_with(edited, choices=[_sync_refusal(choice) for choice in edited.choices])


def _with_refusals(answer: Any) -> Any:
    """Return an answer with refusals in OpenAI's field; LiteLLM keeps them among provider-specific fields."""
    choices = as_list(as_mapping(answer).get("choices"))
    if not any(_read_refusal(choice) for choice in choices):
        return answer
    return copy_with(answer, choices=[_with_refusal(choice) for choice in choices])


def _with_refusal(choice: Any) -> Any:
    refusal = _read_refusal(choice)
    return copy_with(choice, message=copy_with(choice.message, refusal=refusal)) if refusal else choice


def _read_refusal(choice: Any) -> Any:
    return as_mapping(as_mapping(as_mapping(choice).get("message")).get("provider_specific_fields")).get("refusal")


def _sync_refusal(choice: Any) -> Any:
    """Return a choice with its current refusal in both fields that hold it."""
    if not _read_refusal(choice):
        return choice
    own = {**choice.message.provider_specific_fields, "refusal": choice.message.refusal}
    return copy_with(choice, message=copy_with(choice.message, provider_specific_fields=own))


def _adapter(like: Adapter, build_request: BuildRequest, names: tuple[str, ...], arguments: tuple[str, ...]) -> Adapter:
    """Return an adapter for functions with the parameters and answers of a method of the ``openai`` client."""

    def request(invocation: Invocation) -> Request:
        return build_request(invocation, service_of(invocation.kwargs))

    def edit_response(answer: Any, edits: Edits) -> Any:
        return without_original_response(like.edit_response(answer, edits))

    return replace(
        like,
        provider=PROVIDER,
        package="litellm",
        gateway=True,
        install=INSTALL,
        methods=method_paths(*names),
        prepare=name_arguments(*arguments),
        request=request,
        response=lambda answer: without_invented_counts(like.response(answer), answer),
        edit_response=edit_response,
        fields=like.fields and replace(like.fields, body=None),
        load=None,
        streaming=like.streaming and _own_streams(like.streaming),
    )


def _own_streams(streaming: Streaming) -> Streaming:
    """Return functions for streams that LiteLLM returns as they are, not inside a raw response."""
    return replace(
        streaming,
        find_stream=find_stream,
        put_stream=lambda answer, stream: stream,
        source=stream_source,
    )


_KEPT = known("signature", **dict.fromkeys(("refusal", "reasoning_content", "thinking_blocks"), WHOLE))
"""What is known of the fields that LiteLLM keeps of a provider's own answer."""
_MORE_OF_CHOICE = known()
"""What is known of the fields of a choice that LiteLLM does not know: nobody reads them elsewhere."""
_MORE: dict[str, Known] = {"provider_specific_fields": _KEPT, "thinking_blocks": WHOLE}
_FIELDS = AnswerFields(
    chat_of(choice_of(message=with_fields(MESSAGE, **_MORE), provider_specific_fields=_MORE_OF_CHOICE))
)
_CHUNK_FIELDS = AnswerFields(
    chat_of(choice_of(delta=with_fields(DELTA, **_MORE), provider_specific_fields=_MORE_OF_CHOICE))
)
_CHAT = replace(
    openai_chat.ADAPTER,
    response=_read_chat_response,
    edit_response=_edit_chat_response,
    fields=_FIELDS,
    streaming=replace(openai_chat.STREAMING, accumulator=LiteLLMAccumulator, usual=None, fields=_CHUNK_FIELDS),
)

ADAPTERS = (
    _adapter(_CHAT, openai_chat.build_request, ("completion", "acompletion"), ("model", "messages")),
    _adapter(
        openai_completions.ADAPTER,
        openai_completions.build_request,
        ("text_completion", "atext_completion"),
        ("prompt", "model"),
    ),
    _adapter(openai_responses.ADAPTER, openai_responses.build_request, ("responses", "aresponses"), ("input", "model")),
    _adapter(
        openai_embeddings.ADAPTER, openai_embeddings.build_request, ("embedding", "aembedding"), ("model", "input")
    ),
)
