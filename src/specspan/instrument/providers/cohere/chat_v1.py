"""Chats of Cohere's first API: a message, with chat history and tool results in fields of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Message, Part, Request, Response, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats.bodies import (
    EditablePart,
    JsonPath,
    Turn,
    edit_parts,
    edit_turns,
    replace_at,
    replace_block_at,
)
from specspan.instrument.formats.fields import (
    Fields,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
    read_name,
    read_text,
    text_part,
    to_plain_data,
)
from specspan.instrument.formats.generated_client import method_paths
from specspan.instrument.providers.cohere.client import (
    FILTERED_REASON,
    INSTALL,
    PROVIDER,
    common_fields,
    edit_answer,
    explicit_parameters,
    put_stream,
    read_usage,
    streaming_adapter,
    unwrap,
)

_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_FIELDS_QUOTING_TEXT = ("citations", "chat_history", "search_results")
"""Fields of an answer that repeat its text or parts of it."""


def _build_request(invocation: Invocation) -> Request:
    arguments = explicit_parameters(invocation)
    return Request(
        input=tuple([turn.to_message() for turn in _input_turns(arguments)]),
        system_instructions=tuple([part for part, _ in _preamble_parts(arguments)]),
        tools=tuple(map(to_plain_data, as_list(arguments.get("tools")))),
        conversation=as_str(arguments.get("conversation_id")),
        **common_fields(invocation),
    )


def _preamble_parts(arguments: Fields) -> Iterator[EditablePart]:
    if preamble := arguments.get("preamble"):
        yield Text(preamble), replace_at("preamble")


def _input_turns(arguments: Fields) -> Iterator[Turn]:
    """Yield the chat history, the message, and the tool results and documents for the answer."""
    for at, each in enumerate(as_list(arguments.get("chat_history"))):
        turn = as_mapping(each)
        role = str(turn.get("role"))
        yield Turn(_ROLES.get(role, role), tuple(_history_parts(turn, at)))
    if message := arguments.get("message"):
        yield Turn("user", ((Text(message), replace_at("message")),))
    for parts in (_tool_result_parts(arguments, ()), _document_parts(arguments)):
        if places := tuple(parts):
            yield Turn("tool", places)


def _history_parts(turn: Fields, at: int) -> Iterator[EditablePart]:
    if text := turn.get("message"):
        yield Text(text), replace_at("chat_history", at, "message")
    for call in _tool_calls(turn):
        yield call, None
    yield from _tool_result_parts(turn, ("chat_history", at))


def _tool_calls(message: Fields) -> Iterator[Part]:
    for each in map(as_mapping, as_list(message.get("tool_calls"))):
        yield ToolCall(read_name(each.get("name")), to_plain_data(each.get("parameters")))


def _tool_result_parts(message: Fields, path: JsonPath) -> Iterator[EditablePart]:
    for i, each in enumerate(as_list(message.get("tool_results"))):
        for j, output in enumerate(as_list(as_mapping(each).get("outputs"))):
            yield ToolCallResponse(to_plain_data(output)), replace_block_at(*path, "tool_results", i, "outputs", j)


def _document_parts(arguments: Fields) -> Iterator[EditablePart]:
    for at, each in enumerate(as_list(arguments.get("documents"))):
        yield ToolCallResponse(to_plain_data(each)), replace_block_at("documents", at)


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = explicit_parameters(invocation)
    after = edit_parts(invocation.kwargs, _preamble_parts(arguments), "/system_instructions/", edits)
    return replace(invocation, kwargs=edit_turns(after, _input_turns(arguments), "input", edits))


def _read_response(answer: Any) -> Response:
    body = as_mapping(unwrap(answer))
    calls = tuple(_tool_calls(body))
    reason = as_finish_reason(body.get("finish_reason"))
    if calls and reason == "stop":
        reason = "tool_calls"  # this API has no finish reason for tool calls
    parts = (*([text_part(body["text"], "text")] if body.get("text") else ()), *calls)
    return Response(
        id=as_str(body.get("response_id")) or as_str(body.get("generation_id")),
        output=(Message("assistant", parts, None, reason),),
        finish_reasons=(reason,) if reason else (),
        usage=read_usage(body.get("meta")),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    def edit(body: Any) -> Any:
        return copy_with(body, text=edits["/output/0/parts/0"], **cleared(body, *_FIELDS_QUOTING_TEXT))

    return edit_answer(answer, edit)


_GROWING_EVENTS = ("text-generation", "tool-calls-generation", "stream-start")


class ChatV1Accumulator:
    """Accumulator that builds an answer from the events of a stream; the last event repeats the whole answer."""

    __slots__ = ("_calls", "_end", "_id", "_texts", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._texts: list[str] = []
        self._calls: Any = None
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        fields = as_mapping(event)
        kind = fields.get("event_type")
        self.finished = kind == "stream-end" or (self.finished and kind not in _GROWING_EVENTS)
        if kind == "text-generation":
            self._texts.append(read_text(fields.get("text")) or "")
        elif kind == "tool-calls-generation":
            self._calls = fields.get("tool_calls")
        elif kind == "stream-start":
            self._id = fields.get("generation_id")
        elif kind == "stream-end":
            self._end = {**as_mapping(fields.get("response")), "finish_reason": fields.get("finish_reason")}

    def result(self) -> dict[str, Any]:
        head = {"generation_id": self._id, "tool_calls": self._calls}
        return {**head, **{name: value for name, value in self._end.items() if value}, "text": "".join(self._texts)}


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """Yield the answer's text in an event."""
    fields = as_mapping(event)
    text = fields.get("text")
    if fields.get("event_type") == "text-generation" and isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the last text event of a cut stream."""
    return copy_with(event, text=text)


def closing_events(accumulator: Any, event: Any) -> Iterable[Any]:
    """Yield the event that ends the stream and repeats its text."""
    from cohere import NonStreamedChatResponse, StreamEndStreamedChatResponse

    answer = accumulator.result()
    whole = NonStreamedChatResponse(
        text=answer["text"], generation_id=answer["generation_id"], finish_reason=FILTERED_REASON
    )
    yield StreamEndStreamedChatResponse(finish_reason=FILTERED_REASON, response=whole)


_CLIENT = "cohere.raw_base_client:RawBaseCohere"
_CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=method_paths(_CLIENT, names=("chat",)),
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
_STREAM = streaming_adapter(
    _CHAT,
    Streaming(
        accumulator=ChatV1Accumulator,
        deltas=deltas,
        cut=cut,
        find_stream=unwrap,
        put_stream=put_stream,
        closing_events=closing_events,
    ),
)

ADAPTERS = (_CHAT, _STREAM)
