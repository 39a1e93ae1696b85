"""Messages and stream events of Amazon Bedrock's Converse API.

Requests to Amazon's Nova models through InvokeModel have the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from specspan.call import Media, Reasoning, Request, Response, Text, ToolCall, ToolCallResponse, Unknown, Usage
from specspan.instrument.adapter import Edits
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
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    count_not_understood,
    parse_arguments,
    unknown_part,
)

_MODALITIES = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
_BLOCKS_WITHOUT_CONTENT = ("cachePoint", "toolAddition", "toolRemoval")


def input_turns(body: Fields) -> list[Turn]:
    """Return the messages of a request."""
    return [_read_turn(as_mapping(fields), ("messages", i)) for i, fields in enumerate(as_list(body.get("messages")))]


def system_parts(body: Fields) -> list[EditablePart]:
    """Return the system instructions of a request."""
    return list(_content_parts(body.get("system"), ("system",)))


def tool_definitions(body: Fields) -> tuple[Any, ...]:
    """Return the tool definitions of a request."""
    return tuple(as_list(as_mapping(body.get("toolConfig")).get("tools")))


def edit_request(body: Any, edits: Edits) -> Any:
    """Return a copy of a request body with edited texts."""
    edited = edit_turns(body, input_turns(body), "input", edits)
    return edit_parts(edited, system_parts(body), "/system_instructions/", edits)


def read_response(body: Fields) -> Response:
    """Read a response body."""
    reason = as_finish_reason(body.get("stopReason"))
    return Response(
        model=as_str(as_mapping(as_mapping(body.get("trace")).get("promptRouter")).get("invokedModelId")),
        output=tuple([turn.to_message(reason) for turn in _output_turns(body)]),
        finish_reasons=(reason,) if reason else (),
        usage=_read_usage(as_mapping(body.get("usage"))),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """Return a copy of a response body with edited texts."""
    return edit_turns(body, _output_turns(body), "output", edits)


def _output_turns(body: Fields) -> list[Turn]:
    return [_read_turn(as_mapping(as_mapping(body.get("output")).get("message")), ("output", "message"))]


def _read_turn(message: Fields, at: JsonPath) -> Turn:
    return Turn(
        as_str(message.get("role")) or "assistant", tuple(_content_parts(message.get("content"), (*at, "content")))
    )


def _read_usage(usage: Fields) -> Usage:
    fresh, written_out = as_count(usage.get("inputTokens")), as_count(usage.get("outputTokens"))
    read, written = (
        as_count(usage.get(f"cache{way}InputTokens", usage.get(f"cache{way}InputTokenCount")))
        for way in ("Read", "Write")
    )
    # inputTokens leaves out tokens read from or written to the cache
    return Usage(None if fresh is None else fresh + (read or 0) + (written or 0), written_out, read, written)


def _content_parts(content: Any, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the parts of a ``content`` value that stands at path ``at`` of its body."""
    if isinstance(content, str):  # the service refuses such content itself
        yield Text(content), replace_at(*at)
        return
    for i, block in enumerate(as_list(content)):
        yield from _block_parts(as_mapping(block), (*at, i))


def _block_parts(block: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the parts of one content block."""
    kind = next(iter(block), "")
    if kind == "text":
        yield Text(as_str(block[kind]) or ""), replace_at(*at, kind)
        return
    value = as_mapping(block.get(kind))
    if read := _BLOCK_READERS.get(kind):
        yield from read(value, (*at, kind))
    elif kind not in _BLOCKS_WITHOUT_CONTENT:
        yield unknown_part(value.get("name") if kind == "SDK_UNKNOWN_MEMBER" else kind), None


def _tool_call_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield ToolCall(as_str(fields.get("name")) or "", fields.get("input"), as_str(fields.get("toolUseId"))), None


def _tool_result_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield one part for each text and each JSON value of a tool result."""
    call_id = as_str(fields.get("toolUseId"))
    for i, item in enumerate(as_list(fields.get("content"))):
        inner, place = as_mapping(item), (*at, "content", i)
        if "json" in inner:
            yield ToolCallResponse(inner["json"], call_id), replace_block_at(*place)
        else:
            yield from _as_tool_responses(_block_parts(inner, place), call_id)


def _search_result_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield from _as_tool_responses(_content_parts(fields.get("content"), (*at, "content")), None)


def _as_tool_responses(places: Iterable[EditablePart], call_id: str | None) -> Iterator[EditablePart]:
    """Yield the parts with texts turned into tool responses."""
    for part, replace in places:
        yield (ToolCallResponse(part.content, call_id) if isinstance(part, Text) else part), replace


def _reasoning_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield reasoning without a function to edit it, because the service signs it."""
    thought = fields.get("reasoningText")
    yield (Reasoning(as_str(as_mapping(thought).get("text")) or "") if thought else Unknown("reasoningContent")), None


def _cited_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield from _content_parts(fields.get("content"), (*at, "content"))


def _guarded_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the content that a guardrail checks."""
    if "image" in fields:
        yield from _media_parts("image", as_mapping(fields["image"]), at)
    else:
        yield Text(as_str(as_mapping(fields.get("text")).get("text")) or ""), replace_at(*at, "text", "text")


def _media_parts(kind: str, fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield a medium by reference, or the text of a document that is text."""
    source = as_mapping(fields.get("source"))
    if "text" in source:
        yield from _block_parts({"text": source["text"]}, (*at, "source"))
    elif "content" in source:
        yield from _content_parts(source["content"], (*at, "source", "content"))
    else:
        form = as_str(fields.get("format"))
        mime_type = f"{kind}/{form}" if form and kind != "document" else None
        yield Media(_MODALITIES[kind], as_str(as_mapping(source.get("s3Location")).get("uri")), mime_type), None


_BLOCK_READERS: Mapping[str, Callable[[Fields, JsonPath], Iterator[EditablePart]]] = {
    "toolUse": _tool_call_parts,
    "toolResult": _tool_result_parts,
    "searchResult": _search_result_parts,
    "reasoningContent": _reasoning_parts,
    "citationsContent": _cited_parts,
    "guardContent": _guarded_parts,
    **{kind: partial(_media_parts, kind) for kind in _MODALITIES},
}


_DELTAS_WITHOUT_TEXT = ("reasoningContent", "citation", "image")
"""Deltas that may hold signatures, sources or bytes in place of text."""


_DELTA_TEXT_FIELDS = {"toolUse": "input", "reasoningContent": "text"}
"""Field of a delta that holds the next piece of its block."""
_HEADER_EVENTS: Mapping[str, tuple[str, ...]] = {
    "messageStart": (),
    "messageStop": ("stopReason",),
    "metadata": ("usage", "trace"),
}
"""Fields that describe the whole answer, by the event that carries them."""
_IGNORED_EVENTS = ("contentBlockStop",)
EVENT_TYPES = frozenset(("contentBlockStart", "contentBlockDelta", *_IGNORED_EVENTS, *_HEADER_EVENTS))


class ConverseAccumulator:
    """Accumulator that builds a response body from the events of a stream.

    ``merges_texts`` is for services that start a new block for every piece of a text.
    """

    __slots__ = ("_blocks", "_merges_texts", "_rest", "_role", "finished")

    def __init__(self, request: Request, *, merges_texts: bool = False) -> None:
        self._blocks: dict[int, _StreamedBlock] = {}
        self._merges_texts = merges_texts  # if the service starts a block for every piece of a text
        self._role: Any = None
        self._rest: dict[str, Any] = {}
        self.finished = False

    def add(self, event: Any) -> None:
        for kind, value in as_mapping(event).items():
            if kind == "contentBlockDelta":
                self.finished = False
                self._append_delta(as_mapping(value))
            elif kind == "contentBlockStart":
                self.finished = False
                self._start_block(as_mapping(value))
            elif kind in _HEADER_EVENTS:
                self._read_header(kind, as_mapping(value))
            elif kind not in _IGNORED_EVENTS:
                unknown_part(kind)

    def result(self) -> dict[str, Any]:
        content = [self._blocks[index].to_block() for index in sorted(self._blocks)]
        return {**self._rest, "output": {"message": {"role": self._role, "content": content}}}

    def _read_header(self, kind: str, fields: Fields) -> None:
        if kind == "messageStart":
            self._role, self.finished = fields.get("role"), False
        elif fields.get("stopReason"):
            self.finished = True
        self._rest.update({name: fields[name] for name in _HEADER_EVENTS[kind] if name in fields})

    def _start_block(self, fields: Fields) -> None:
        start = as_mapping(fields.get("start"))
        for kind, about in start.items():
            self._blocks[self._block_index(fields)] = _StreamedBlock(kind, as_mapping(about))

    def _append_delta(self, fields: Fields) -> None:
        for kind, piece in as_mapping(fields.get("delta")).items():
            text = piece.get(_DELTA_TEXT_FIELDS.get(kind)) if isinstance(piece, Mapping) else piece
            if isinstance(text, str):
                self._block(kind, fields).pieces.append(text)
            elif kind not in _DELTAS_WITHOUT_TEXT:
                count_not_understood()

    def _block(self, kind: str, fields: Fields) -> _StreamedBlock:
        """Return the block that a delta belongs to; a text block needs no start event."""
        index = self._block_index(fields)
        block = self._blocks.get(index)
        if block is None and self._merges_texts and self._blocks:
            last = self._blocks[max(self._blocks)]
            block = last if kind == last.kind == "text" else None
        if block is None:
            block = self._blocks[index] = _StreamedBlock(kind, {})
        return block

    def _block_index(self, fields: Fields) -> int:
        index = fields.get("contentBlockIndex")
        if isinstance(index, int):
            return index
        count_not_understood()
        return max(self._blocks, default=0)


class _StreamedBlock:
    """Accumulated pieces of one content block."""

    __slots__ = ("kind", "pieces", "start")

    def __init__(self, kind: str, start: Fields) -> None:
        self.kind = kind
        self.start = dict(start)  # applications add the pieces to the first event's own block
        self.pieces: list[str] = []

    def to_block(self) -> dict[str, Any]:
        """Return the block as an unstreamed answer has it."""
        text = "".join(self.pieces)
        if self.kind == "toolUse":
            return {"toolUse": {**self.start, "input": parse_arguments(text) if text else self.start.get("input")}}
        if self.kind == "reasoningContent":
            return {"reasoningContent": {"reasoningText": {"text": text}}}
        return {"text": text} if self.kind == "text" else {self.kind: self.start}


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """Yield the answer's text in an event, without reasoning."""
    text = as_mapping(as_mapping(as_mapping(event).get("contentBlockDelta")).get("delta")).get("text")
    if isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the event at which a stream is cut, with ``text`` in place of its own."""
    delta_event = event["contentBlockDelta"]
    return {**event, "contentBlockDelta": {**delta_event, "delta": {**delta_event["delta"], "text": text}}}


def closing_events(accumulator: Any, event: Any) -> list[Any]:
    """Return the events that end a stream as one with filtered content."""
    return [
        {"contentBlockStop": {"contentBlockIndex": event["contentBlockDelta"].get("contentBlockIndex")}},
        {"messageStop": {"stopReason": "content_filtered"}},
    ]
