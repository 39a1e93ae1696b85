"""Chats of Cohere's second API, and the adapters of the whole client."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Message, Request, Response, ToolCallResponse
from specspan.instrument.adapter import BESIDE, Adapter, Delta, Edits, Invocation, Streaming
from specspan.instrument.formats.bodies import EditablePart, edit_parts, parts_only, replace_at, replace_block_at
from specspan.instrument.formats.fields import (
    Fields,
    as_finish_reason,
    as_index,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
    count_not_understood,
    read_text,
    texts_in,
    to_plain_data,
)
from specspan.instrument.formats.generated_client import method_paths
from specspan.instrument.formats.indexed_parts import IndexedParts
from specspan.instrument.formats.known_cohere import ANSWER, EVENT, answer_fields
from specspan.instrument.formats.known_fields import AnswerFields
from specspan.instrument.formats.openai_chat import edit_messages, read_answer, read_message
from specspan.instrument.providers.cohere import chat_v1, embeddings
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


def _build_request(invocation: Invocation) -> Request:
    arguments = explicit_parameters(invocation)
    documents = parts_only(_document_parts(arguments))
    return Request(
        input=(
            *map(read_message, as_list(arguments.get("messages"))),
            *([Message("tool", documents)] if documents else ()),
        ),
        tools=tuple(map(to_plain_data, as_list(arguments.get("tools")))),
        **common_fields(invocation),
    )


def _document_parts(arguments: Fields) -> Iterator[EditablePart]:
    """Yield the documents of a request; like tool results, they are not the user's words."""
    for at, each in enumerate(as_list(arguments.get("documents"))):
        if isinstance(each, str):
            yield ToolCallResponse(each), replace_at("documents", at)
        else:
            document = as_mapping(each)
            put = replace_block_at("documents", at, "data")
            yield ToolCallResponse(to_plain_data(document.get("data")), as_str(document.get("id"))), put


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = explicit_parameters(invocation)
    messages = list(as_list(arguments.get("messages")))
    after = edit_parts(invocation.kwargs, _document_parts(arguments), f"/input/{len(messages)}/parts/", edits)
    return replace(invocation, kwargs={**after, "messages": edit_messages(messages, "input", edits)})


def _read_response(answer: Any) -> Response:
    body = as_mapping(unwrap(answer))
    reason = as_finish_reason(body.get("finish_reason"))
    return Response(
        id=as_str(body.get("id")),
        output=(_read_message(body.get("message"), reason),),
        finish_reasons=(reason,) if reason else (),
        usage=read_usage(body.get("usage")),
    )


def _read_message(message: Any, reason: str | None) -> Message:
    """Read a message; what its citations quote follows its other parts."""
    read = read_answer(message, reason)
    citations = tuple(ToolCallResponse(_cited_text(each)) for each in as_list(as_mapping(message).get("citations")))
    return replace(read, parts=(*read.parts, *citations)) if citations else read


def _cited_text(citation: Any) -> str:
    """Return what a citation quotes of the answer and of its sources."""
    fields = as_mapping(citation)
    sources = [as_mapping(each) for each in as_list(fields.get("sources"))]
    quoted = [fields.get("text"), *([each.get("document"), each.get("tool_output")] for each in sources)]
    return "\n".join(texts_in(to_plain_data(quoted)))


def _edit_response(answer: Any, edits: Edits) -> Any:
    def edit(body: Any) -> Any:
        before = as_mapping(body)["message"]
        (message,) = edit_messages([before], "output", edits)
        # citations quote the text
        uncited = copy_with(message, **(cleared(message, "citations") | _edited_citations(before, edits)))
        return copy_with(body, message=uncited, **cleared(body, "logprobs"))

    return edit_answer(answer, edit)


def _edited_citations(message: Any, edits: Edits) -> dict[str, Any]:
    """Return the citations that have other texts; the others go with the text that they quote."""
    number = len(read_message(message).parts)
    edited = [
        _with_cited_text(each, text)
        for i, each in enumerate(as_list(as_mapping(message).get("citations")))
        if (text := edits.get(f"/output/0/parts/{number + i}")) is not None
    ]
    return {"citations": edited} if edited else {}


def _with_cited_text(citation: Any, text: str) -> Any:
    return copy_with(citation, text=text, **cleared(citation, "sources"))


class _StreamedContent:
    """Accumulated pieces of one item of the content."""

    __slots__ = ("kind", "pieces")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pieces = TextPieces()

    def to_item(self) -> dict[str, Any]:
        field = "thinking" if self.kind == "thinking" else "text"
        return {
            "type": self.kind,
            **({field: self.pieces.getvalue()} if self.pieces or self.kind == "text" else {}),
        }


class _StreamedCall:
    """Accumulated pieces of one tool call."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: Any = None
        self.name = ""
        self.arguments = TextPieces()

    def to_call(self) -> dict[str, Any]:
        return {"id": self.id, "function": {"name": self.name, "arguments": self.arguments.getvalue()}}


class ChatAccumulator:
    """Accumulator that builds an answer from the events of a stream."""

    __slots__ = ("_calls", "_citations", "_content", "_end", "_id", "_plan", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._plan = TextPieces()
        self._content: IndexedParts[_StreamedContent] = IndexedParts()
        self._calls: IndexedParts[_StreamedCall] = IndexedParts()
        self._citations: list[Any] = []
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        fields = as_mapping(event)
        kind = fields.get("type")
        if kind == "message-end":
            self._end, self.finished = as_mapping(fields.get("delta")), True
        elif kind == "message-start":
            self._id, self.finished = fields.get("id"), False
            self._append_delta(fields, _delta_message(fields))
        else:
            self.finished = False
            self._append_delta(fields, _delta_message(fields))

    def _append_delta(self, fields: Fields, message: Fields) -> None:
        kind, index = fields.get("type"), fields.get("index")
        content = message.get("content")
        if kind == "content-delta" and len(message) == 1 and self._append_text(content, index):
            return
        if content is not None:
            for item in content if isinstance(content, (list, tuple)) else (content,):
                self._append_content(item, index, is_start=kind == "content-start")
        if plan := read_text(message.get("tool_plan")):
            self._plan.write(plan)
        if calls := message.get("tool_calls"):
            for call in calls if isinstance(calls, (list, tuple)) else (calls,):
                self._append_tool_call(as_mapping(call), index, is_start=kind == "tool-call-start")
        if citations := message.get("citations"):
            self._citations.extend(citations if isinstance(citations, (list, tuple)) else (citations,))

    def _append_text(self, content: Any, index: Any) -> bool:
        """Append a piece of a text that started, the most frequent of all pieces. Returns False for any other."""
        block = self._content.by_index.get(index) if index.__class__ is int else None
        if block is None or block.kind != "text" or content is None or isinstance(content, (str, list)):
            return False
        fields = as_mapping(content)
        text = fields.get("text")
        if text.__class__ is not str or fields.get("type") is not None or fields.get("thinking") is not None:
            return False
        block.pieces.write(text)
        return True

    def _append_content(self, item: Any, index: Any, *, is_start: bool) -> None:
        fields = {"text": item} if isinstance(item, str) else as_mapping(item)
        field = "thinking" if fields.get("thinking") is not None else "text"
        kind = str(fields.get("type") or field)
        block = None if is_start else self._content.find(index)
        if block is None or block.kind != kind:
            block = self._content.start(index, _StreamedContent(kind))
        text = read_text(fields.get(field))
        if text is not None:
            block.pieces.write(text)
        elif fields.get(field) is not None:
            count_not_understood()
            self._content.start(None, _StreamedContent(f"{kind}-delta"))

    def _append_tool_call(self, piece: Fields, index: Any, *, is_start: bool) -> None:
        call = None if is_start else self._calls.find(index)
        if call is None or (piece.get("id") and call.id and piece["id"] != call.id):
            call = self._calls.start(index, _StreamedCall())
        function = as_mapping(piece.get("function"))
        call.id = piece.get("id") or call.id
        call.name += read_text(function.get("name")) or ""
        arguments = function.get("arguments")
        call.arguments.write(json.dumps(arguments) if isinstance(arguments, dict) else read_text(arguments) or "")

    def result(self) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "tool_plan": self._plan.getvalue(),
            "content": [each.to_item() for each in self._content],
            "tool_calls": [each.to_call() for each in self._calls],
            "citations": self._citations,
        }
        return {"id": self._id, **self._end, "message": message}


def _delta_message(event: Fields) -> Fields:
    return as_mapping(as_mapping(event.get("delta")).get("message"))


def deltas(event: Any) -> Iterator[Delta]:
    """Yield the answer's text in an event by item, without thinking, and under `BESIDE` what its citations quote."""
    fields = as_mapping(event)
    message, index = _delta_message(fields), fields.get("index")
    part = index if index.__class__ is int else as_index(index)
    content = message.get("content")
    if fields.get("type") == "content-start":
        yield 0, "", part
    text = content if isinstance(content, (str, list)) else as_mapping(content).get("text")
    if text and (read := text if text.__class__ is str else read_text(text)):
        yield 0, read, part
    citations = message.get("citations")
    if citations is None:
        return
    for citation in citations if isinstance(citations, (list, tuple)) else (citations,):
        if citation is not None and (cited := _cited_text(citation)):
            yield BESIDE, f"{cited}\n\n"


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the last event of a cut stream that has text."""
    if choice == BESIDE:
        before = event.delta.message
        message = copy_with(before, citations=_with_cited_text(before.citations, text))
        return copy_with(event, delta=copy_with(event.delta, message=message))
    return copy_with(replace_at("delta", "message", "content", "text")(event, text), **cleared(event, "logprobs"))


def closing_events(accumulator: Any, event: Any) -> Iterable[Any]:
    """Yield the service's end events of the block and of the message."""
    from cohere import ChatMessageEndEventDelta

    yield _sibling_event_type(event, "ContentEnd")(index=event.index)
    yield _sibling_event_type(event, "MessageEnd")(
        id=accumulator.result()["id"], delta=ChatMessageEndEventDelta(finish_reason=FILTERED_REASON)
    )


def _sibling_event_type(event: Any, kind: str) -> Any:
    """Return the event class of another kind, defined in the same module as that of ``event``."""
    event_type = type(event)
    return getattr(
        sys.modules[event_type.__module__], re.sub("^(Content|Citation)(Start|Delta)", kind, event_type.__name__)
    )


_CLIENT = "cohere.v2.raw_client:RawV2Client"
_CHAT = Adapter(
    provider=PROVIDER,
    package=PROVIDER,
    install=INSTALL,
    methods=method_paths(_CLIENT, names=("chat",)),
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    fields=answer_fields(ANSWER, unwrap, edit_answer),
)
_STREAM = streaming_adapter(
    _CHAT,
    Streaming(
        accumulator=ChatAccumulator,
        deltas=deltas,
        part_of=lambda event: as_index(as_mapping(event).get("index")),
        cut=cut,
        fields=AnswerFields(EVENT),
        find_stream=unwrap,
        put_stream=put_stream,
        closing_events=closing_events,
    ),
)

ADAPTERS = (_CHAT, _STREAM, *chat_v1.ADAPTERS, embeddings.ADAPTER)
