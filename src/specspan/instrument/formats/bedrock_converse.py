"""Messages and stream events of Amazon Bedrock's Converse API.

Requests to Amazon's Nova models through InvokeModel have the same shape. Parts that stand beside the content, such as
citations and names of documents, follow the parts of all blocks: an answer reads on across its citations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from specspan.call import Media, Reasoning, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from specspan.instrument.adapter import BESIDE, Edits
from specspan.instrument.formats.bodies import (
    EditablePart,
    JsonPath,
    Turn,
    edit_parts,
    edit_turns,
    replace_at,
    replace_block_at,
    replace_value,
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
    read_name,
    read_text,
    text_part,
    texts_in,
    unknown_part,
)
from specspan.instrument.formats.indexed_parts import IndexedParts

_MODALITIES = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
_BLOCKS_WITHOUT_CONTENT = ("cachePoint", "toolAddition", "toolRemoval")


def input_turns(body: Fields) -> list[Turn]:
    """Return the messages of a request."""
    return [_read_turn(message, ("messages", i)) for i, message in enumerate(as_list(body.get("messages")))]


def system_parts(body: Fields) -> list[EditablePart]:
    """Return the system instructions of a request."""
    return _all_parts(body.get("system"), ("system",))


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


_FIELDS_OF_THE_MODEL = "additionalModelResponseFields"


def _output_turns(body: Fields) -> list[Turn]:
    output = body.get("output")
    if isinstance(output, str):
        return [Turn("assistant", ((Text(output), replace_at("output")),))]
    turn = _read_turn(as_mapping(output).get("message"), ("output", "message"))
    more = body.get(_FIELDS_OF_THE_MODEL)
    if not more:
        return [turn]
    return [Turn(turn.role, (*turn.parts, (ToolCallResponse(more), replace_block_at(_FIELDS_OF_THE_MODEL))))]


def _read_turn(message: Any, at: JsonPath) -> Turn:
    if not isinstance(message, Mapping):
        return Turn("assistant", tuple(_content_parts(message, at)))
    role = as_str(message.get("role")) or "assistant"
    return Turn(role, tuple(_all_parts(message.get("content"), (*at, "content"))))


def _read_usage(usage: Fields) -> Usage:
    fresh, written_out = as_count(usage.get("inputTokens")), as_count(usage.get("outputTokens"))
    read, written = (
        as_count(usage.get(f"cache{way}InputTokens", usage.get(f"cache{way}InputTokenCount")))
        for way in ("Read", "Write")
    )
    # inputTokens leaves out tokens read from or written to the cache
    return Usage(None if fresh is None else fresh + (read or 0) + (written or 0), written_out, read, written)


def _all_parts(content: Any, at: JsonPath) -> list[EditablePart]:
    """Return the parts of a ``content`` value that stands at path ``at`` of its body, and then those beside them."""
    return [*_content_parts(content, at), *_parts_beside(content, at)]


def _content_parts(content: Any, at: JsonPath) -> Iterator[EditablePart]:
    if isinstance(content, str):  # the service refuses such content itself
        yield Text(content), replace_at(*at)
    elif isinstance(content, Mapping):
        count_not_understood()
        yield from _block_parts(content, at)
    elif content is not None and not isinstance(content, (list, tuple)):
        yield unknown_part("content"), None
    else:
        for i, block in enumerate(content or ()):
            yield from _item_parts(block, (*at, i))


def _item_parts(block: Any, at: JsonPath) -> Iterator[EditablePart]:
    if isinstance(block, str):
        yield Text(block), replace_at(*at)
    elif isinstance(block, Mapping) and block:
        yield from _block_parts(block, at)
    else:
        yield unknown_part("content"), None


def _block_parts(block: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the parts of one content block."""
    for kind, value in block.items():
        if kind == "text":
            yield text_part(value, kind), replace_at(*at, kind)
        elif value is not None and kind not in _BLOCKS_WITHOUT_CONTENT:
            yield from _value_parts(kind, value, (*at, kind))


def _value_parts(kind: str, value: Any, at: JsonPath) -> Iterator[EditablePart]:
    read = _BLOCK_READERS.get(kind)
    if read is not None and isinstance(value, Mapping):
        yield from read(value, at)
    else:
        yield unknown_part(as_mapping(value).get("name") if kind == "SDK_UNKNOWN_MEMBER" else kind), None


def _parts_beside(content: Any, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the names and titles in a ``content`` value, and what its citations quote."""
    for i, block in enumerate(as_list(content) if isinstance(content, (list, tuple)) else ()):
        fields = block if isinstance(block, Mapping) else {}
        for kind, name in (("document", "name"), ("searchResult", "title")):
            if text := read_text(_inner(fields, kind).get(name)):
                yield ToolCallResponse(text), replace_at(*at, i, kind, name)
        for j, citation in enumerate(as_list(_inner(fields, "citationsContent").get("citations"))):
            if text := _cited_text(citation):
                yield ToolCallResponse(text), partial(_replace_citation, (*at, i, "citationsContent", "citations", j))


def _inner(fields: Fields, kind: str) -> Fields:
    value = fields.get(kind)
    return value if isinstance(value, Mapping) else {}


def _cited_text(citation: Any) -> str:
    fields = as_mapping(citation)
    return "\n".join(texts_in([fields.get("title"), fields.get("source"), fields.get("sourceContent")]))


def _replace_citation(at: JsonPath, body: Any, text: str) -> Any:
    return replace_value(body, at, {"title": text, "sourceContent": []})


def _tool_call_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield ToolCall(read_name(fields.get("name")), fields.get("input"), as_str(fields.get("toolUseId"))), None


def _tool_result_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield one part for each text and each JSON value of a tool result."""
    call_id = as_str(fields.get("toolUseId"))
    content = fields.get("content")
    if not isinstance(content, (list, tuple)):
        yield from _as_tool_responses(_content_parts(content, (*at, "content")), call_id)
        return
    for i, item in enumerate(content):
        place = (*at, "content", i)
        if isinstance(item, Mapping) and "json" in item:
            yield ToolCallResponse(item["json"], call_id), replace_block_at(*place)
        else:
            yield from _as_tool_responses(_item_parts(item, place), call_id)


def _search_result_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield from _as_tool_responses(_content_parts(fields.get("content"), (*at, "content")), None)


def _as_tool_responses(places: Iterable[EditablePart], call_id: str | None) -> Iterator[EditablePart]:
    """Yield the parts with texts turned into tool responses."""
    for part, replace in places:
        yield (ToolCallResponse(part.content, call_id) if isinstance(part, Text) else part), replace


def _reasoning_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield reasoning without a function to edit it, because the service signs it."""
    yield Reasoning(read_text(fields.get("reasoningText")) or ""), None  # it may be encrypted


def _cited_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield from _content_parts(fields.get("content"), (*at, "content"))


def _guarded_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the content that a guardrail checks."""
    if "image" in fields:
        yield from _media_parts("image", as_mapping(fields["image"]), at)
    else:
        yield text_part(_inner(fields, "text").get("text"), "guardContent"), replace_at(*at, "text", "text")


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

    __slots__ = ("_blocks", "_merges_texts", "_rest", "_role", "_unknown_kinds", "finished")

    def __init__(self, request: Request, *, merges_texts: bool = False) -> None:
        self._blocks: IndexedParts[_StreamedBlock] = IndexedParts()
        self._unknown_kinds: dict[str, None] = {}
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
        content = [*(block.to_block() for block in self._blocks), *({kind: True} for kind in self._unknown_kinds)]
        return {**self._rest, "output": {"message": {"role": self._role, "content": content}}}

    def _read_header(self, kind: str, fields: Fields) -> None:
        if kind == "messageStart":
            self._role, self.finished = fields.get("role"), False
        elif fields.get("stopReason"):
            self.finished = True
        self._rest.update({name: fields[name] for name in _HEADER_EVENTS[kind] if name in fields})

    def _start_block(self, fields: Fields) -> None:
        for kind, about in as_mapping(fields.get("start")).items():
            self._blocks.start(fields.get("contentBlockIndex"), _StreamedBlock(kind, as_mapping(about)))

    def _append_delta(self, fields: Fields) -> None:
        for kind, piece in as_mapping(fields.get("delta")).items():
            text = piece.get(_DELTA_TEXT_FIELDS.get(kind)) if isinstance(piece, Mapping) else piece
            if isinstance(text, str):
                self._block(kind, fields).pieces.append(text)
            elif kind in _DELTA_APPENDERS:
                block_kind, append = _DELTA_APPENDERS[kind]
                append(self._block(block_kind, fields), piece)
            elif kind in _DELTA_TEXT_FIELDS:
                count_not_understood()
            else:
                self._append_odd_delta(kind, piece, fields)

    def _append_odd_delta(self, kind: str, piece: Any, fields: Fields) -> None:
        """Append the text in a delta that is not a text itself, or note that a delta cannot be read."""
        text = read_text(piece) if kind == "text" else None
        if text is not None:
            self._block(kind, fields).pieces.append(text)
        if text is None and piece is not None:
            self._unknown_kinds[kind] = None
        else:
            count_not_understood()

    def _block(self, kind: str, fields: Fields) -> _StreamedBlock:
        """Return the block that a delta belongs to; a text block needs no start event."""
        index = fields.get("contentBlockIndex")
        block = self._blocks.find(index)
        if block is None and self._merges_texts:
            block = self._blocks.last()
        if block is None or block.kind != kind:
            block = self._blocks.start(index, _StreamedBlock(kind, {}))
        return block


class _StreamedBlock:
    """Accumulated pieces of one content block."""

    __slots__ = ("citations", "kind", "pieces", "results", "start")

    def __init__(self, kind: str, start: Fields) -> None:
        self.kind = kind
        self.start = dict(start)  # applications add the pieces to the first event's own block
        self.pieces: list[str] = []
        self.citations: list[Any] = []
        self.results: list[Any] = []

    def to_block(self) -> dict[str, Any]:
        """Return the block as an unstreamed answer has it."""
        text = "".join(self.pieces)
        if self.kind == "toolUse":
            return {"toolUse": {**self.start, "input": parse_arguments(text) if text else self.start.get("input")}}
        if self.kind == "toolResult":
            return {"toolResult": {**self.start, "content": self.results}}
        if self.kind == "reasoningContent":
            return {"reasoningContent": {"reasoningText": {"text": text}}}
        if self.citations:
            return {"citationsContent": {"content": [{"text": text}], "citations": self.citations}}
        return {"text": text} if self.kind == "text" else {self.kind: self.start}


def _append_reasoning(block: _StreamedBlock, piece: Any) -> None:
    """Take a piece of reasoning without text, such as its signature."""


def _append_citation(block: _StreamedBlock, piece: Any) -> None:
    block.citations.append(piece)


def _append_results(block: _StreamedBlock, piece: Any) -> None:
    """Append the contents of a tool result; a text that the last piece began goes on."""
    for i, each in enumerate(as_list(piece)):
        before, text = (block.results or [None])[-1], read_text(each) if isinstance(each, Mapping) else None
        if not i and text is not None and isinstance(before, dict) and isinstance(before.get("text"), str):
            block.results[-1] = {"text": before["text"] + text}
        else:
            block.results.append(each)


def _append_image(block: _StreamedBlock, piece: Any) -> None:
    block.start |= as_mapping(piece)


_DELTA_APPENDERS: Mapping[str, tuple[str, Callable[[_StreamedBlock, Any], None]]] = {
    "reasoningContent": ("reasoningContent", _append_reasoning),
    "citation": ("text", _append_citation),
    "toolResult": ("toolResult", _append_results),
    "image": ("image", _append_image),
}
"""Kind of the block that a delta without text belongs to, and the function that appends it."""


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """Yield the answer's text in an event, without reasoning, and under `BESIDE` what else a person reads in it."""
    delta = as_mapping(as_mapping(as_mapping(event).get("contentBlockDelta")).get("delta"))
    text = read_text(delta.get("text"))
    if text:
        yield 0, text
    for beside in (_cited_text(delta.get("citation")), "\n".join(texts_in(delta.get("toolResult")))):
        if beside:
            yield BESIDE, f"{beside}\n\n"


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the event at which a stream is cut, with ``text`` in place of its own."""
    return {**event, "contentBlockDelta": {**event["contentBlockDelta"], "delta": {"text": text}}}


def closing_events(accumulator: Any, event: Any) -> list[Any]:
    """Return the events that end a stream as one with filtered content."""
    return [
        {"contentBlockStop": {"contentBlockIndex": event["contentBlockDelta"].get("contentBlockIndex")}},
        {"messageStop": {"stopReason": "content_filtered"}},
    ]
