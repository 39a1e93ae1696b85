"""Chats of Cohere's first API: a message, and beside it what was said before and what tools answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Message, Part, Request, Response, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.anthropic_messages import plain
from specspan.instrument.formats.bodies import Path, Place, Turn, put_at, put_block_at, with_places, with_turns
from specspan.instrument.formats.fields import Fields, changed, emptied, fields, finish_reason, listed, word
from specspan.instrument.formats.generated_client import methods, reads_once
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

# MERGED _cohere_v1_stream: Events of the chat of Cohere's first API, folded into an answer of the same shape.


class FirstAccumulator:
    """Folds events into what stands for an answer. The last one has all of it again."""

    __slots__ = ("_calls", "_end", "_id", "_texts", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._texts: list[str] = []
        self._calls: Any = None
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        said = fields(event)
        kind = said.get("event_type")
        if kind == "text-generation":
            self._texts.append(word(said.get("text")) or "")
        elif kind == "tool-calls-generation":
            self._calls = said.get("tool_calls")
        elif kind == "stream-start":
            self._id = said.get("generation_id")
        elif kind == "stream-end":
            self._end = {**fields(said.get("response")), "finish_reason": said.get("finish_reason")}
            self.finished = True

    def result(self) -> dict[str, Any]:
        seen = {"generation_id": self._id, "tool_calls": self._calls}
        return {**seen, **{name: value for name, value in self._end.items() if value}, "text": "".join(self._texts)}


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    said = fields(event)
    text = said.get("text")
    if said.get("event_type") == "text-generation" and isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    return changed(event, text=text)


def closing(seen: Any, event: Any) -> Iterable[Any]:
    """The end of the stream, which says again what was said."""
    from cohere import NonStreamedChatResponse, StreamEndStreamedChatResponse

    found = seen.result()
    whole = NonStreamedChatResponse(text=found["text"], generation_id=found["generation_id"], finish_reason=CUT)
    yield StreamEndStreamedChatResponse(finish_reason=CUT, response=whole)


_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_QUOTE_IT = ("citations", "chat_history", "search_results")
"""What of an answer has its text, or parts of it, again."""


def _request(invocation: Invocation) -> Request:
    said = given(invocation)
    return Request(
        input=tuple([turn.message() for turn in _turns(said)]),
        system_instructions=tuple([part for part, _ in _instructions(said)]),
        tools=tuple(map(plain, listed(said.get("tools")))),
        conversation=word(said.get("conversation_id")),
        **common(invocation),
    )


def _instructions(said: Fields) -> Iterator[Place]:
    if preamble := said.get("preamble"):
        yield Text(preamble), put_at("preamble")


def _turns(said: Fields) -> Iterator[Turn]:
    """What was said before, the message, and what it is to be answered with."""
    for at, each in enumerate(listed(said.get("chat_history"))):
        turn = fields(each)
        role = str(turn.get("role"))
        yield Turn(_ROLES.get(role, role), tuple(_said_before(turn, at)))
    if message := said.get("message"):
        yield Turn("user", ((Text(message), put_at("message")),))
    for found in (_results(said, ()), _documents(said)):
        if places := tuple(found):
            yield Turn("tool", places)


def _said_before(turn: Fields, at: int) -> Iterator[Place]:
    if text := turn.get("message"):
        yield Text(text), put_at("chat_history", at, "message")
    for call in _calls(turn):
        yield call, None
    yield from _results(turn, ("chat_history", at))


def _calls(said: Fields) -> Iterator[Part]:
    for each in map(fields, listed(said.get("tool_calls"))):
        yield ToolCall(word(each.get("name")) or "", plain(each.get("parameters")))


def _results(said: Fields, path: Path) -> Iterator[Place]:
    for i, each in enumerate(listed(said.get("tool_results"))):
        for j, output in enumerate(listed(fields(each).get("outputs"))):
            yield ToolCallResponse(plain(output)), put_block_at(*path, "tool_results", i, "outputs", j)


def _documents(said: Fields) -> Iterator[Place]:
    for at, each in enumerate(listed(said.get("documents"))):
        yield ToolCallResponse(plain(each)), put_block_at("documents", at)


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    said = given(invocation)
    after = with_places(invocation.kwargs, _instructions(said), "/system_instructions/", edits)
    return replace(invocation, kwargs=with_turns(after, _turns(said), "input", edits))


def _response(answer: Any) -> Response:
    found = fields(answered(answer))
    calls = tuple(_calls(found))
    reason = finish_reason(found.get("finish_reason"))
    if calls and reason == "stop":
        reason = "tool_calls"  # the service has no word of its own for it
    text = word(found.get("text"))
    parts = (*([Text(text)] if text else ()), *calls)
    return Response(
        id=word(found.get("response_id")) or word(found.get("generation_id")),
        output=(Message("assistant", parts, None, reason),),
        finish_reasons=(reason,) if reason else (),
        usage=usage_of(found.get("meta")),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    def edit(found: Any) -> Any:
        return changed(found, text=edits["/output/0/parts/0"], **emptied(found, *_QUOTE_IT))

    return edited(answer, edit)


_CLIENT = "cohere.raw_base_client:RawBaseCohere"
_CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=methods(_CLIENT, names=("chat",)),
    prepare=reads_once("chat_history", "tools", "tool_results", "documents"),
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
_STREAM = streamed(_CHAT, accumulator=FirstAccumulator, deltas=deltas, cut=cut, closing=closing)

ADAPTERS = (_CHAT, _STREAM)
