"""Stream events of Amazon Bedrock's Converse API, accumulated into a response body."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Request
from specspan.instrument.adapter import BESIDE, Delta
from specspan.instrument.formats.bedrock_converse import cited_text, guardrail_text, replace_guardrail
from specspan.instrument.formats.fields import (
    Fields,
    as_index,
    as_list,
    as_mapping,
    count_not_understood,
    parse_arguments,
    read_text,
    texts_in,
    unknown_part,
)
from specspan.instrument.formats.indexed_parts import IndexedParts

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
            if piece.__class__ is str:
                self._block(kind, fields).pieces.write(piece)
                continue
            text = piece.get(_DELTA_TEXT_FIELDS.get(kind)) if isinstance(piece, Mapping) else piece
            if isinstance(text, str):
                self._block(kind, fields).pieces.write(text)
            elif kind in _DELTA_APPENDERS:
                block_kind, append = _DELTA_APPENDERS[kind]
                append(self._block(block_kind, fields), piece)
            elif kind in _DELTA_TEXT_FIELDS:
                count_not_understood()
                if text is not None:  # arguments in another shape than a piece of JSON
                    self._block(kind, fields).pieces.write(json.dumps(text, default=str))
            else:
                self._append_odd_delta(kind, piece, fields)

    def _append_odd_delta(self, kind: str, piece: Any, fields: Fields) -> None:
        """Append the text in a delta that is not a text itself, or note that a delta cannot be read."""
        text = read_text(piece) if kind == "text" else None
        if text is not None:
            self._block(kind, fields).pieces.write(text)
        if text is None and piece is not None:
            self._unknown_kinds[kind] = None
        else:
            count_not_understood()

    def _block(self, kind: str, fields: Fields) -> _StreamedBlock:
        """Return the block that a delta belongs to; a text block needs no start event."""
        index = fields.get("contentBlockIndex")
        block = self._blocks.by_index.get(index) if index.__class__ is int else self._blocks.find(index)
        if block is None and self._merges_texts:
            block = self._blocks.last()
        if block is None or block.kind != kind:
            block = self._blocks.start(index, _StreamedBlock(kind, {}))
        return block


class _StreamedBlock:
    """Accumulated pieces of one content block."""

    __slots__ = ("citations", "is_encrypted", "kind", "pieces", "results", "start")

    def __init__(self, kind: str, start: Fields) -> None:
        self.kind = kind
        self.start = dict(start)  # applications add the pieces to the first event's own block
        self.pieces = TextPieces()
        self.citations: list[Any] = []
        self.results: list[Any] = []
        self.is_encrypted = False

    def to_block(self) -> dict[str, Any]:
        """Return the block as an unstreamed answer has it."""
        text = self.pieces.getvalue()
        if self.kind == "toolUse":
            return {"toolUse": {**self.start, "input": parse_arguments(text) if text else self.start.get("input")}}
        if self.kind == "toolResult":
            return {"toolResult": {**self.start, "content": self.results}}
        if self.kind == "reasoningContent":
            redacted = {"redactedContent": True} if self.is_encrypted else {}
            return {"reasoningContent": {"reasoningText": {"text": text}, **redacted}}
        if self.citations:
            return {"citationsContent": {"content": [{"text": text}], "citations": self.citations}}
        return {"text": text} if self.kind == "text" else {self.kind: self.start}


def _append_reasoning(block: _StreamedBlock, piece: Any) -> None:
    """Take a piece of reasoning without text, such as its signature."""
    block.is_encrypted = block.is_encrypted or bool(as_mapping(piece).get("redactedContent"))


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


def deltas(event: Any) -> Iterator[Delta]:
    """Yield the answer's text in an event by block, without reasoning, and under `BESIDE` what else a person reads."""
    if traced := guardrail_text(as_mapping(as_mapping(event).get("metadata"))):
        yield BESIDE, f"{traced}\n\n", "guardrail"
    fields = as_mapping(as_mapping(event).get("contentBlockDelta"))
    delta, index = as_mapping(fields.get("delta")), fields.get("contentBlockIndex")
    text, part = delta.get("text"), index if index.__class__ is int else as_index(index)
    if text.__class__ is str and len(delta) == 1:
        if text:
            yield 0, text, part
        return
    text = read_text(text)
    if text:
        yield 0, text, part
    if cited := cited_text(delta.get("citation")):
        yield BESIDE, f"{cited}\n\n", "citation"
    for piece in as_list(delta.get("toolResult")):
        if found := "\n".join(texts_in(piece)):
            yield BESIDE, found, part


def merged_deltas(event: Any) -> Iterator[Delta]:
    """Yield the text in an event of a service that starts a new block for every piece of a text."""
    return ((delta[0], delta[1]) for delta in deltas(event))


def part_of(event: Any) -> Hashable:
    """Return the index of the block that an event is about."""
    return as_index(as_mapping(as_mapping(event).get("contentBlockDelta")).get("contentBlockIndex"))


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the event at which a stream is cut, with ``text`` in place of its own."""
    if "contentBlockDelta" not in event:
        return {**event, "metadata": replace_guardrail(event["metadata"], text)}
    return {**event, "contentBlockDelta": {**event["contentBlockDelta"], "delta": {"text": text}}}


def closing_events(accumulator: Any, event: Any) -> list[Any]:
    """Return the events that end a stream as one with filtered content."""
    if "contentBlockDelta" not in event:
        return []
    return [
        {"contentBlockStop": {"contentBlockIndex": event["contentBlockDelta"].get("contentBlockIndex")}},
        {"messageStop": {"stopReason": "content_filtered"}},
    ]
