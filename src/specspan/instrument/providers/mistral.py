"""Mistral: the service itself, and its models on Azure and Vertex AI through the same client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.providers import _mistral_responses, _openai_chat, _openai_embeddings
from specspan.instrument.providers._chat import with_texts
from specspan.instrument.providers._generated import reads_once
from specspan.instrument.providers._mistral_client import INSTALL, PACKAGE, PROVIDER, asked, methods, said, service_of
from specspan.instrument.providers._mistral_stream import MistralAccumulator, cut, deltas
from specspan.instrument.providers._shapes import fields, listed, not_understood

_COMPLETION, _EMBEDDINGS = "text_completion", "embeddings"


def _request(invocation: Invocation, *, streaming: bool = False) -> Request:
    return asked(invocation, invocation.kwargs["messages"], streaming=streaming)


def _by_name(invocation: Invocation) -> Invocation:
    """The format of an answer may stand in its place, which is the first."""
    if invocation.args:
        given = {"response_format": invocation.args[0], **invocation.kwargs}
        if len(invocation.args) == 1 and len(given) > len(invocation.kwargs):
            invocation = replace(invocation, args=(), kwargs=given)
    return _reads_once(invocation)


_reads_once = reads_once("messages", "tools")


def _response(answer: Any) -> Response | None:
    found = said(answer)
    for choice in listed(fields(found).get("choices")):
        if fields(choice).get("messages"):
            not_understood()  # several messages in place of one
    return _openai_chat.ADAPTER.response(found)


def _around(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a text is to be written between, as a message."""
    texts = [given.get(name) for name in ("prompt", "suffix")]
    return {"role": "user", "content": [{"type": "text", "text": each} for each in texts if each]}


def _fill_in(invocation: Invocation, *, streaming: bool = False) -> Request:
    return replace(asked(invocation, [_around(invocation.kwargs)], streaming=streaming), operation=_COMPLETION)


def _edit_around(invocation: Invocation, edits: Edits) -> Invocation:
    given = invocation.kwargs
    (edited,) = with_texts([_around(given)], "input", edits)
    names = [name for name in ("prompt", "suffix") if given.get(name)]
    texts = {name: item["text"] for name, item in zip(names, edited["content"], strict=True)}
    return replace(invocation, kwargs={**given, **texts})


def _embed(invocation: Invocation) -> Request:
    given = {**invocation.kwargs, "input": invocation.kwargs["inputs"]}
    return _openai_embeddings.asked(Invocation(invocation.instance, (), given), service_of(invocation))


def _embedded(answer: Any) -> Response | None:
    found = fields(answer)
    return _openai_embeddings.ADAPTER.response({"model": found.get("model"), "usage": said(found.get("usage"))})


def _streamed(adapter: Adapter, *classes: str, request: Any) -> Adapter:
    return replace(
        adapter,
        methods=methods(*classes, names=("stream",)),
        request=partial(request, streaming=True),
        accumulator=MistralAccumulator,
        deltas=deltas,
        cut=cut,
        stream_in=lambda stream: stream,
    )


_CHATS = ("client.chat:Chat", "azure.client.chat:Chat", "gcp.client.chat:Chat")
_ASKED = (*_CHATS, "client.agents:Agents")
_FILLING = ("client.fim:Fim", "gcp.client.fim:Fim")

_CHAT = Adapter(
    provider=PROVIDER,
    package=PACKAGE,
    install=INSTALL,
    methods=methods(*_ASKED, names=("complete",)) + methods(_CHATS[0], names=("parse",)),
    prepare=_by_name,
    request=_request,
    response=_response,
    edit_request=_openai_chat.ADAPTER.edit_request,
    edit_response=_openai_chat.ADAPTER.edit_response,
)
_FIM = replace(
    _CHAT,
    operation=_COMPLETION,
    methods=methods(*_FILLING, names=("complete",)),
    request=_fill_in,
    edit_request=_edit_around,
)
_EMBED = replace(
    _CHAT,
    operation=_EMBEDDINGS,
    methods=methods("client.embeddings:Embeddings", names=("create",)),
    prepare=reads_once("inputs"),
    request=_embed,
    response=_embedded,
    edit_request=partial(_openai_embeddings.edit_request, name="inputs"),
    edit_response=_openai_embeddings.ADAPTER.edit_response,
)

ADAPTERS = (
    _CHAT,
    _streamed(_CHAT, *_ASKED, request=_request),
    _FIM,
    _streamed(_FIM, *_FILLING, request=_fill_in),
    _EMBED,
    _mistral_responses.ADAPTER,
)
