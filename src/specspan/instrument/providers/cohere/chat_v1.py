"""Chats of Cohere's first API: a message, and beside it what was said before and what tools answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Message, Part, Request, Response, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.anthropic_messages import to_plain_data
from specspan.instrument.formats.bodies import (
    EditablePart,
    JsonPath,
    Turn,
    edit_parts,
    edit_turns,
    replace_at,
    replace_block_at,
)
from specspan.instrument.formats.fields import Fields, as_finish_reason, as_list, as_mapping, as_str, cleared, copy_with
from specspan.instrument.formats.generated_client import buffer_iterators, method_paths
from specspan.instrument.providers.cohere.client import (
    FILTERED_REASON,
    INSTALL,
    PROVIDER,
    common_fields,
    edit_answer,
    explicit_parameters,
    read_usage,
    streaming_adapter,
    unwrap,
)

# MERGED _cohere_v1_stream: Events of the chat of Cohere's first API, folded into an answer of the same shape.


class ChatV1Accumulator:
    """Folds events into what stands for an answer. The last one has all of it again."""

    __slots__ = ("_calls", "_end", "_id", "_texts", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._texts: list[str] = []
        self._calls: Any = None
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        said = as_mapping(event)
        kind = said.get("event_type")
        if kind == "text-generation":
            self._texts.append(as_str(said.get("text")) or "")
        elif kind == "tool-calls-generation":
            self._calls = said.get("tool_calls")
        elif kind == "stream-start":
            self._id = said.get("generation_id")
        elif kind == "stream-end":
            self._end = {**as_mapping(said.get("response")), "finish_reason": said.get("finish_reason")}
            self.finished = True

    def result(self) -> dict[str, Any]:
        seen = {"generation_id": self._id, "tool_calls": self._calls}
        return {**seen, **{name: value for name, value in self._end.items() if value}, "text": "".join(self._texts)}


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    said = as_mapping(event)
    text = said.get("text")
    if said.get("event_type") == "text-generation" and isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    return copy_with(event, text=text)


def closing_events(seen: Any, event: Any) -> Iterable[Any]:
    """The end of the stream, which says again what was said."""
    from cohere import NonStreamedChatResponse, StreamEndStreamedChatResponse

    found = seen.result()
    whole = NonStreamedChatResponse(
        text=found["text"], generation_id=found["generation_id"], finish_reason=FILTERED_REASON
    )
    yield StreamEndStreamedChatResponse(finish_reason=FILTERED_REASON, response=whole)


_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_FIELDS_QUOTING_TEXT = ("citations", "chat_history", "search_results")
"""What of an answer has its text, or parts of it, again."""


def _build_request(invocation: Invocation) -> Request:
    said = explicit_parameters(invocation)
    return Request(
        input=tuple([turn.to_message() for turn in _input_turns(said)]),
        system_instructions=tuple([part for part, _ in _preamble_parts(said)]),
        tools=tuple(map(to_plain_data, as_list(said.get("tools")))),
        conversation=as_str(said.get("conversation_id")),
        **common_fields(invocation),
    )


def _preamble_parts(said: Fields) -> Iterator[EditablePart]:
    if preamble := said.get("preamble"):
        yield Text(preamble), replace_at("preamble")


def _input_turns(said: Fields) -> Iterator[Turn]:
    """What was said before, the message, and what it is to be answered with."""
    for at, each in enumerate(as_list(said.get("chat_history"))):
        turn = as_mapping(each)
        role = str(turn.get("role"))
        yield Turn(_ROLES.get(role, role), tuple(_history_parts(turn, at)))
    if message := said.get("message"):
        yield Turn("user", ((Text(message), replace_at("message")),))
    for found in (_tool_result_parts(said, ()), _document_parts(said)):
        if places := tuple(found):
            yield Turn("tool", places)


def _history_parts(turn: Fields, at: int) -> Iterator[EditablePart]:
    if text := turn.get("message"):
        yield Text(text), replace_at("chat_history", at, "message")
    for call in _tool_calls(turn):
        yield call, None
    yield from _tool_result_parts(turn, ("chat_history", at))


def _tool_calls(said: Fields) -> Iterator[Part]:
    for each in map(as_mapping, as_list(said.get("tool_calls"))):
        yield ToolCall(as_str(each.get("name")) or "", to_plain_data(each.get("parameters")))


def _tool_result_parts(said: Fields, path: JsonPath) -> Iterator[EditablePart]:
    for i, each in enumerate(as_list(said.get("tool_results"))):
        for j, output in enumerate(as_list(as_mapping(each).get("outputs"))):
            yield ToolCallResponse(to_plain_data(output)), replace_block_at(*path, "tool_results", i, "outputs", j)


def _document_parts(said: Fields) -> Iterator[EditablePart]:
    for at, each in enumerate(as_list(said.get("documents"))):
        yield ToolCallResponse(to_plain_data(each)), replace_block_at("documents", at)


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    said = explicit_parameters(invocation)
    after = edit_parts(invocation.kwargs, _preamble_parts(said), "/system_instructions/", edits)
    return replace(invocation, kwargs=edit_turns(after, _input_turns(said), "input", edits))


def _read_response(answer: Any) -> Response:
    found = as_mapping(unwrap(answer))
    calls = tuple(_tool_calls(found))
    reason = as_finish_reason(found.get("finish_reason"))
    if calls and reason == "stop":
        reason = "tool_calls"  # the service has no word of its own for it
    text = as_str(found.get("text"))
    parts = (*([Text(text)] if text else ()), *calls)
    return Response(
        id=as_str(found.get("response_id")) or as_str(found.get("generation_id")),
        output=(Message("assistant", parts, None, reason),),
        finish_reasons=(reason,) if reason else (),
        usage=read_usage(found.get("meta")),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    def edit(found: Any) -> Any:
        return copy_with(found, text=edits["/output/0/parts/0"], **cleared(found, *_FIELDS_QUOTING_TEXT))

    return edit_answer(answer, edit)


_CLIENT = "cohere.raw_base_client:RawBaseCohere"
_CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=method_paths(_CLIENT, names=("chat",)),
    prepare=buffer_iterators("chat_history", "tools", "tool_results", "documents"),
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
_STREAM = streaming_adapter(_CHAT, accumulator=ChatV1Accumulator, deltas=deltas, cut=cut, closing=closing_events)

ADAPTERS = (_CHAT, _STREAM)
