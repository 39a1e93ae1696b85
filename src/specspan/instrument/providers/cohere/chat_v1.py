"""Chats of Cohere's first API: a message, with chat history and tool results in fields of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Message, Part, Request, Response, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import BESIDE, Adapter, Edits, Invocation, Streaming
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
    texts_in,
    to_plain_data,
)
from specspan.instrument.formats.generated_client import method_paths
from specspan.instrument.formats.known_cohere import ANSWER_V1, EVENT_V1, REPEATED, answer_fields
from specspan.instrument.formats.known_fields import AnswerFields
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
_FIELDS_QUOTING_TEXT = ("citations", "chat_history", "search_results", "documents")
"""Fields of an answer that repeat its text, or quote what it was made of."""
_SOURCE_FIELDS = ("citations", "documents", "search_results")
"""Fields of an answer and of an event that hold sources."""


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
    sources = _source_text(body)
    parts = (
        *([text_part(body["text"], "text")] if body.get("text") else ()),
        *calls,
        *([ToolCallResponse(sources)] if sources else ()),
    )
    return Response(
        id=as_str(body.get("response_id")) or as_str(body.get("generation_id")),
        output=(Message("assistant", parts, None, reason),),
        finish_reasons=(reason,) if reason else (),
        usage=read_usage(body.get("meta")),
    )


def _source_text(body: Fields) -> str:
    """Return what an answer or an event quotes and names as sources."""
    return "\n".join(texts_in([to_plain_data(body.get(name)) for name in _SOURCE_FIELDS]))


def _edit_response(answer: Any, edits: Edits) -> Any:
    def edit(body: Any) -> Any:
        fields = as_mapping(body)
        changes = dict[str, Any](cleared(body, *_FIELDS_QUOTING_TEXT))
        has_text = bool(fields.get("text"))
        text = edits.get("/output/0/parts/0") if has_text else None
        sources = edits.get(f"/output/0/parts/{has_text + len(tuple(_tool_calls(fields)))}")
        if text is not None:
            changes["text"] = text
        if sources is not None:
            changes["citations"] = [_citation(body, sources)]
        return copy_with(body, **changes)

    return edit_answer(answer, edit)


def _citation(body: Any, text: str) -> Any:
    """Return a citation like those in ``body``, a dict or the client's object."""
    from cohere import ChatCitation

    citation = ChatCitation(start=0, end=0, text=text, document_ids=[])
    return citation.dict() if isinstance(body, Mapping) else citation


_GROWING_EVENTS = ("text-generation", "tool-calls-generation", "citation-generation", "search-results", "stream-start")


class ChatV1Accumulator:
    """Accumulator that builds an answer from the events of a stream; the last event repeats the whole answer."""

    __slots__ = ("_calls", "_end", "_id", "_sources", "_texts", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._texts = TextPieces()
        self._sources: dict[str, list[Any]] = {}
        self._calls: Any = None
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        fields = as_mapping(event)
        kind = fields.get("event_type")
        self.finished = kind == "stream-end" or (self.finished and kind not in _GROWING_EVENTS)
        if kind == "text-generation":
            self._texts.write(read_text(fields.get("text")) or "")
        elif kind == "tool-calls-generation":
            self._calls = fields.get("tool_calls")
        elif kind in ("citation-generation", "search-results"):
            for name in _SOURCE_FIELDS:
                self._sources.setdefault(name, []).extend(as_list(fields.get(name)))
        elif kind == "stream-start":
            self._id = fields.get("generation_id")
        elif kind == "stream-end":
            self._end = {**as_mapping(fields.get("response")), "finish_reason": fields.get("finish_reason")}

    def result(self) -> dict[str, Any]:
        head = {"generation_id": self._id, "tool_calls": self._calls}
        return {
            **head,
            **self._sources,
            **{name: value for name, value in self._end.items() if value},
            "text": self._texts.getvalue(),
        }


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """Yield the answer's text in an event, and under `BESIDE` its sources."""
    fields = as_mapping(event)
    kind = fields.get("event_type")
    if kind == "text-generation":
        if text := read_text(fields.get("text")):
            yield 0, text
    elif kind in ("citation-generation", "search-results") and (sources := _source_text(fields)):
        yield BESIDE, f"{sources}\n\n"


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the last event of a cut stream that has text."""
    if choice != BESIDE:
        return copy_with(event, text=text)
    from cohere import CitationGenerationStreamedChatResponse

    return CitationGenerationStreamedChatResponse(citations=[_citation(event, text)])


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
    fields=answer_fields(ANSWER_V1, unwrap, edit_answer),
)
_STREAM = streaming_adapter(
    _CHAT,
    Streaming(
        accumulator=ChatV1Accumulator,
        deltas=deltas,
        cut=cut,
        fields=AnswerFields(EVENT_V1, repeated=REPEATED),
        find_stream=unwrap,
        put_stream=put_stream,
        closing_events=closing_events,
    ),
)

ADAPTERS = (_CHAT, _STREAM)
