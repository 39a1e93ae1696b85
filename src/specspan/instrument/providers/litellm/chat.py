"""LiteLLM: one client for everybody's models. What it asks other clients for is part of its own call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import changed, fields, listed
from specspan.instrument.formats.generated_client import by_name
from specspan.instrument.formats.openai_chat import ChatAccumulator
from specspan.instrument.providers.litellm import text as _litellm_text
from specspan.instrument.providers.litellm.client import (
    INSTALL,
    PROVIDER,
    counted,
    methods,
    service_of,
    source,
    stream_in,
    without_original,
)
from specspan.instrument.providers.openai import (
    chat as _openai_chat,
)
from specspan.instrument.providers.openai import (
    embeddings as _openai_embeddings,
)
from specspan.instrument.providers.openai import (
    responses as _openai_responses,
)
from specspan.instrument.providers.openai.client import Service

Asked = Callable[[Invocation, Service], Request]


class _Accumulator(ChatAccumulator):
    """Folds chunks, of which the last hides what was counted where the application did not ask for it."""

    __slots__ = ("_hidden",)

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._hidden: Any = {}

    def add(self, chunk: Any) -> None:
        super().add(chunk)
        self._hidden = chunk._hidden_params

    def result(self) -> Any:
        answer = super().result()
        usage = self._hidden.get("usage") if answer.usage is None else answer.usage
        return SimpleNamespace(**{**vars(answer), "usage": usage})


def _chat_response(answer: Any) -> Response | None:
    return _openai_chat.ADAPTER.response(_with_refusals(answer))


def _edit_chat_response(answer: Any, edits: Edits) -> Any:
    edited = _openai_chat.ADAPTER.edit_response(_with_refusals(answer), edits)
    return changed(edited, choices=[_repeated(choice) for choice in edited.choices])


def _with_refusals(answer: Any) -> Any:
    """An answer whose refusals are where OpenAI has them: LiteLLM has them among what is its providers' own."""
    choices = listed(fields(answer).get("choices"))
    if not any(_refusal(choice) for choice in choices):
        return answer
    return changed(answer, choices=[_refusing(choice) for choice in choices])


def _refusing(choice: Any) -> Any:
    refusal = _refusal(choice)
    return changed(choice, message=changed(choice.message, refusal=refusal)) if refusal else choice


def _refusal(choice: Any) -> Any:
    return fields(fields(fields(choice).get("message")).get("provider_specific_fields")).get("refusal")


def _repeated(choice: Any) -> Any:
    """A choice that says its refusal, as it is now, in both places."""
    if not _refusal(choice):
        return choice
    own = {**choice.message.provider_specific_fields, "refusal": choice.message.refusal}
    return changed(choice, message=changed(choice.message, provider_specific_fields=own))


def _adapter(like: Adapter, asked: Asked, names: tuple[str, ...], given: tuple[str, ...]) -> Adapter:
    """An adapter for functions that take what a method of the ``openai`` client takes, and answer as it does."""

    def request(invocation: Invocation) -> Request:
        return asked(invocation, service_of(invocation.kwargs))

    def edit_response(answer: Any, edits: Edits) -> Any:
        return without_original(like.edit_response(answer, edits))

    return replace(
        like,
        provider=PROVIDER,
        package="litellm",
        gateway=True,
        install=INSTALL,
        methods=methods(*names),
        prepare=by_name(*given),
        request=request,
        response=lambda answer: counted(like.response(answer), answer),
        edit_response=edit_response,
        load=None,
        stream_in=stream_in,
        put_stream=lambda answer, stream: stream,
        source=source,
    )


_CHAT = replace(
    _openai_chat.ADAPTER,
    response=_chat_response,
    edit_response=_edit_chat_response,
    accumulator=_Accumulator,
)
_TEXT = replace(
    _openai_chat.ADAPTER,
    operation=_litellm_text.OPERATION,
    response=_litellm_text.response,
    edit_request=_litellm_text.edit_request,
    edit_response=_litellm_text.edit_response,
    accumulator=_litellm_text.TextAccumulator,
    deltas=_litellm_text.deltas,
    cut=_litellm_text.cut,
)

ADAPTERS = (
    _adapter(_CHAT, _openai_chat.asked, ("completion", "acompletion"), ("model", "messages")),
    _adapter(_TEXT, _litellm_text.asked, ("text_completion", "atext_completion"), ("prompt", "model")),
    _adapter(_openai_responses.ADAPTER, _openai_responses.asked, ("responses", "aresponses"), ("input", "model")),
    _adapter(_openai_embeddings.ADAPTER, _openai_embeddings.asked, ("embedding", "aembedding"), ("model", "input")),
)
