"""Cohere: chats of its second and first API, and embeddings of both."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Message, Request, Response, ToolCallResponse
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.anthropic_messages import plain
from specspan.instrument.formats.bodies import Place, parts, put_at, put_block_at, with_places
from specspan.instrument.formats.fields import (
    Fields,
    changed,
    emptied,
    fields,
    finish_reason,
    listed,
    not_understood,
    word,
)
from specspan.instrument.formats.generated_client import methods, reads_once
from specspan.instrument.formats.openai_chat import message_of, with_texts
from specspan.instrument.providers.cohere import chat_v1 as _cohere_v1
from specspan.instrument.providers.cohere import embeddings as _cohere_embeddings
from specspan.instrument.providers.cohere.client import (
    CUT,
    INSTALL,
    PROVIDER,
    answered,
    common,
    edited,
    given,
    streamed,
    usage_of,
)

# MERGED _cohere_stream: Events of Cohere's chat, folded into an answer of the same shape.


class ChatAccumulator:
    """Folds events into what stands for an answer."""

    __slots__ = ("_calls", "_content", "_end", "_id", "_plan", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._plan: list[str] = []
        self._content: dict[str, list[str]] = {"thinking": [], "text": []}
        self._calls: dict[Any, dict[str, Any]] = {}
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        said = fields(event)
        kind = said.get("type")
        if kind == "message-end":
            self._end, self.finished = fields(said.get("delta")), True
        elif kind == "message-start":
            self._id = said.get("id")
        else:
            self._take(said, _message(said))

    def _take(self, said: Fields, message: Fields) -> None:
        content = fields(message.get("content"))
        if content.get("type", "text") not in self._content:
            not_understood()
        for name, pieces in self._content.items():
            pieces.append(word(content.get(name)) or "")
        self._plan.append(word(message.get("tool_plan")) or "")
        if call := message.get("tool_calls"):
            self._call(said.get("index"), fields(call))

    def _call(self, index: Any, piece: Fields) -> None:
        seen = self._calls.setdefault(index, {"id": None, "name": "", "arguments": []})
        function = fields(piece.get("function"))
        seen["id"] = piece.get("id") or seen["id"]
        seen["name"] += word(function.get("name")) or ""
        seen["arguments"].append(word(function.get("arguments")) or "")

    def result(self) -> dict[str, Any]:
        content = [{"type": name, name: "".join(pieces)} for name, pieces in self._content.items() if any(pieces)]
        calls = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
            for call in self._calls.values()
        ]
        message = {"role": "assistant", "tool_plan": "".join(self._plan), "content": content, "tool_calls": calls}
        return {"id": self._id, **self._end, "message": message}


def _message(said: Fields) -> Fields:
    return fields(fields(said.get("delta")).get("message"))


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event: of the answer, not of thoughts."""
    text = fields(_message(fields(event)).get("content")).get("text")
    if isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    """The last event with text of a stream that is cut."""
    return changed(put_at("delta", "message", "content", "text")(event, text), **emptied(event, "logprobs"))


def closing(seen: Any, event: Any) -> Iterable[Any]:
    """The end of the block and of the message, as the service says it."""
    from cohere import ChatMessageEndEventDelta

    yield _like(event, "ContentEnd")(index=event.index)
    yield _like(event, "MessageEnd")(id=seen.result()["id"], delta=ChatMessageEndEventDelta(finish_reason=CUT))


def _like(event: Any, kind: str) -> Any:
    """The class of events of another kind, which stands beside that of ``event``."""
    found = type(event)
    return getattr(sys.modules[found.__module__], re.sub("^Content(Start|Delta)", kind, found.__name__))


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
