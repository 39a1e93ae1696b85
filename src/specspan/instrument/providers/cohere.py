"""Cohere: chats of its second and first API, and embeddings of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Message, Request, Response, ToolCallResponse
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.providers import _cohere_embeddings, _cohere_v1
from specspan.instrument.providers._anthropic_messages import plain
from specspan.instrument.providers._bodies import Place, parts, put_at, put_block_at, with_places
from specspan.instrument.providers._chat import message_of, with_texts
from specspan.instrument.providers._cohere_client import (
    INSTALL,
    PROVIDER,
    answered,
    common,
    edited,
    given,
    streamed,
    usage_of,
)
from specspan.instrument.providers._cohere_stream import ChatAccumulator, closing, cut, deltas
from specspan.instrument.providers._finish_reasons import finish_reason
from specspan.instrument.providers._generated import methods, reads_once
from specspan.instrument.providers._shapes import Fields, changed, emptied, fields, listed, word


def _request(invocation: Invocation) -> Request:
    said = given(invocation)
    documents = parts(_documents(said))
    return Request(
        input=(
            *map(message_of, listed(said.get("messages"))),
            *([Message("tool", documents)] if documents else ()),
        ),
        tools=tuple(map(plain, listed(said.get("tools")))),
        **common(invocation),
    )


def _documents(said: Fields) -> Iterator[Place]:
    """What the answer is to be made of: like what a tool answered, nothing that a user said."""
    for at, each in enumerate(listed(said.get("documents"))):
        if isinstance(each, str):
            yield ToolCallResponse(each), put_at("documents", at)
        else:
            document = fields(each)
            put = put_block_at("documents", at, "data")
            yield ToolCallResponse(plain(document.get("data")), word(document.get("id"))), put


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    said = given(invocation)
    messages = list(listed(said.get("messages")))
    after = with_places(invocation.kwargs, _documents(said), f"/input/{len(messages)}/parts/", edits)
    return replace(invocation, kwargs={**after, "messages": with_texts(messages, "input", edits)})


def _response(answer: Any) -> Response:
    found = fields(answered(answer))
    reason = finish_reason(found.get("finish_reason"))
    return Response(
        id=word(found.get("id")),
        output=(message_of(found.get("message"), reason),),
        finish_reasons=(reason,) if reason else (),
        usage=usage_of(found.get("usage")),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    def edit(found: Any) -> Any:
        (message,) = with_texts([fields(found)["message"]], "output", edits)
        uncited = changed(message, **emptied(message, "citations"))  # they quote it
        return changed(found, message=uncited, **emptied(found, "logprobs"))

    return edited(answer, edit)


_CLIENT = "cohere.v2.raw_client:RawV2Client"
_CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=methods(_CLIENT, names=("chat",)),
    prepare=reads_once("messages", "tools", "documents"),
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
_STREAM = streamed(_CHAT, accumulator=ChatAccumulator, deltas=deltas, cut=cut, closing=closing)

ADAPTERS = (_CHAT, _STREAM, *_cohere_v1.ADAPTERS, _cohere_embeddings.ADAPTER)
