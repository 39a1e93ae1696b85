"""Stream events of Anthropic's API, accumulated into a message."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Hashable, Iterator
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Request
from specspan.instrument.adapter import BESIDE, Delta
from specspan.instrument.formats.anthropic_messages import texts_beside
from specspan.instrument.formats.fields import (
    Fields,
    as_index,
    as_list,
    as_mapping,
    copy_with,
    count_not_understood,
    list_or_item,
    parse_arguments,
    read_text,
    unknown_part,
)
from specspan.instrument.formats.indexed_parts import IndexedParts

_DELTA_FIELDS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "compaction_delta": "content",
}
"""Field of a delta that holds the next piece of its block."""
_BLOCK_TYPES = {"text": "text", "thinking": "thinking", "partial_json": "tool_use", "content": "compaction"}
"""Type of a block whose start event was lost, by the field of its delta."""
_DELTAS_WITHOUT_TEXT = ("signature_delta",)
_IGNORED_EVENTS = ("content_block_stop", "message_stop", "ping")
_EVENTS_WITHOUT_TEXT = ("message_delta", *_IGNORED_EVENTS)


class MessageAccumulator:
    """Accumulator that builds a message from the events of a stream.

    Token counts are cumulative: the last value of each is the total.
    """

    __slots__ = ("_blocks", "_message", "_stop_reason", "_unknown_kinds", "_usage", "finished")

    def __init__(self, request: Request) -> None:
        self._message: Fields = {}
        self._blocks: IndexedParts[_StreamedBlock] = IndexedParts()
        self._unknown_kinds: dict[str, None] = {}
        self._stop_reason: Any = None
        self._usage: dict[str, Any] = {}
        self.finished = False

    @property
    def output_tokens_at_start(self) -> int:
        """Return the output tokens that the first event announced."""
        return as_mapping(self._message.get("usage")).get("output_tokens") or 0

    def add(self, event: Any) -> None:
        fields = event if event.__class__ is dict else getattr(event, "__dict__", None) or as_mapping(event)
        kind = fields.get("type")
        if kind == "content_block_delta":
            self.finished = False
            self._append_delta(fields)
        elif kind == "content_block_start":
            self.finished = False
            self._blocks.start(fields.get("index"), _StreamedBlock(fields.get("content_block")))
        elif kind == "message_start":
            self.finished = False
            self._start_message(fields.get("message"))
        elif kind == "message_delta":
            self._stop_reason = as_mapping(fields.get("delta")).get("stop_reason") or self._stop_reason
            self.finished = bool(self._stop_reason)
            usage = as_mapping(fields.get("usage"))
            self._usage |= {name: count for name, count in usage.items() if count is not None}
        elif kind not in _IGNORED_EVENTS:
            unknown_part(kind)
            if (guess := _guess_kind(fields)) is not None:
                self.add({**fields, "type": guess})

    def result(self) -> dict[str, Any]:
        unknown = [{"type": kind} for kind in self._unknown_kinds]
        return {
            **self._message,
            "content": [*(block.to_block() for block in self._blocks), *unknown],
            "stop_reason": self._stop_reason,
            "usage": self._usage,
        }

    def _start_message(self, value: Any) -> None:
        message = as_mapping(value)
        self._message = dict(message)
        # the first event's output tokens are placeholders
        usage = as_mapping(message.get("usage"))
        self._usage |= {name: count for name, count in usage.items() if not str(name).startswith("output_tokens")}
        content = message.get("content")
        for index, block in enumerate(list_or_item(content or ())):
            self._blocks.start(index, _StreamedBlock(block))

    def _append_delta(self, fields: Fields) -> None:
        delta = fields.get("delta")
        piece = getattr(delta, "__dict__", None) or as_mapping(delta)  # a client's object has a __dict__
        kind = piece.get("type")
        field = _DELTA_FIELDS.get(kind) if kind.__class__ is str else _untyped_field(piece)
        index = fields.get("index")
        block = self._blocks.by_index.get(index) if index.__class__ is int else self._blocks.find(index)
        if field is None:
            self._append_rare_delta(kind, piece, block, index)
            return
        if block is None:
            count_not_understood()
            block = self._blocks.start(index, _StreamedBlock({"type": _BLOCK_TYPES[field]}))
        text = piece.get(field)
        if text.__class__ is str:
            block.pieces[field].write(text)
        else:
            self._append_odd_piece(block, field, text)

    def _append_rare_delta(self, kind: Any, piece: Fields, block: _StreamedBlock | None, index: Any) -> None:
        if kind == "citations_delta":
            block = block or self._blocks.start(index, _StreamedBlock({"type": "text"}))
            block.citations.append(piece.get("citation"))
        elif kind not in _DELTAS_WITHOUT_TEXT:
            self._unknown_kinds[str(kind)] = None

    def _append_odd_piece(self, block: _StreamedBlock, field: str, value: Any) -> None:
        """Append the text in a piece that is not a text itself."""
        count_not_understood()
        text = json.dumps(value) if field == "partial_json" and value is not None else read_text(value)
        if text is not None:
            block.pieces[field].write(text)
        elif value:
            self._unknown_kinds[f"unread_{field}"] = None


def _untyped_field(piece: Fields) -> str | None:
    """Return the field of a delta that does not have a type, if it holds a text."""
    return next((field for field in _BLOCK_TYPES if isinstance(piece.get(field), str)), None)


class _StreamedBlock:
    """Accumulated pieces of one content block."""

    __slots__ = ("citations", "pieces", "start")

    def __init__(self, start: Any) -> None:
        is_text = isinstance(start, str)
        # a copy, because applications add the pieces to the first event's own block
        self.start = {"type": "text", "text": start} if is_text else dict(as_mapping(start))
        self.pieces: dict[str, TextPieces] = defaultdict(TextPieces)
        self.citations: list[Any] = []

    def to_block(self) -> dict[str, Any]:
        """Return the block as an unstreamed message has it."""
        block = dict(self.start)
        for field, pieces in self.pieces.items():
            if field == "partial_json":
                block["input"] = parse_arguments(pieces.getvalue()) or block.get("input")
            else:
                block[field] = (read_text(block.get(field)) or "") + pieces.getvalue()
        if self.citations:
            block["citations"] = [*as_list(block.get("citations")), *self.citations]
        return block


def _guess_kind(fields: Fields) -> str | None:
    """Return the type of an event that names none or an unknown one, by its fields."""
    if fields.get("content_block") is not None:
        return "content_block_start"
    return "content_block_delta" if fields.get("delta") is not None and fields.get("usage") is None else None


def deltas(event: Any) -> Iterator[Delta]:
    """Yield the answer's text in an event by block, without reasoning, and under `BESIDE` what else a person reads."""
    fields = as_mapping(event)
    kind = fields.get("type")
    if kind == "content_block_delta":
        delta = as_mapping(fields.get("delta"))
        text, index = delta.get("text"), fields.get("index")
        part = index if index.__class__ is int else as_index(index)
        if text.__class__ is str:
            if text:
                yield 0, text, part
        else:
            yield from _block_deltas(_as_block(delta), part)
    elif kind == "content_block_start":
        part = as_index(fields.get("index"))
        yield 0, "", part
        yield from _block_deltas(fields.get("content_block"), part)
    elif kind == "message_start":
        content = as_mapping(fields.get("message")).get("content")
        for part, block in enumerate(list_or_item(content or ())):
            yield 0, "", part
            yield from _block_deltas(block, part)
    elif kind not in _EVENTS_WITHOUT_TEXT and (guess := _guess_kind(fields)) is not None:
        yield from deltas({**fields, "type": guess})


def _as_block(delta: Fields) -> dict[str, Any]:
    """Return a delta as the block that it would be by itself."""
    kind = delta.get("type")
    if kind == "citations_delta":
        return {"type": "text", "text": "", "citations": [delta.get("citation")]}
    if kind == "compaction_delta":
        return {"type": "compaction", "content": delta.get("content")}
    return {"type": "text" if kind == "text_delta" else kind, "text": delta.get("text")}


def _block_deltas(block: Any, part: int | None) -> Iterator[Delta]:
    """Yield the texts of a block that is there as a whole."""
    if isinstance(block, str):
        if block:
            yield 0, block, part
        return
    fields = as_mapping(block)
    kind = fields.get("type")
    text = read_text(fields.get("content" if kind == "compaction" else "text"))
    if text and kind in ("text", "compaction", None):
        yield 0, text, part
    for value in texts_beside(block):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        yield BESIDE, f"{text}\n\n"


def part_of(event: Any) -> Hashable:
    """Return the index of the block that an event is about."""
    return as_index(as_mapping(event).get("index"))


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the event at which a stream is cut, with ``text`` in place of its own."""
    fields = as_mapping(event)
    kind = fields.get("type")
    if kind == "message_start" or as_mapping(fields.get("message")):
        return _copy_event(event, message=_with_text_block(fields.get("message"), text))
    if kind == "content_block_start" or fields.get("content_block") is not None:
        return _copy_event(event, content_block={"type": "text", "text": text, "citations": None})
    delta = fields.get("delta")
    if isinstance(as_mapping(delta).get("text"), str):
        return copy_with(event, delta=copy_with(delta, text=text))
    return _copy_event(event, delta={"type": "text_delta", "text": text})


def _with_text_block(message: Any, text: str) -> Any:
    return {**as_mapping(message), "content": [{"type": "text", "text": text, "citations": None}]}


def _copy_event(event: Any, **changes: Any) -> Any:
    """Return a copy of an event with other values, which are dicts, in the given fields."""
    if isinstance(event, dict):
        return {**event, **changes}
    return type(event).model_validate({**as_mapping(event), **changes})


def closing_events(accumulator: MessageAccumulator, event: Any) -> list[Any]:
    """Return the events that end a message with the stop reason ``refusal``."""
    ends: list[dict[str, Any]] = [
        {"type": "content_block_stop", "index": as_mapping(event).get("index")},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_sequence": None},
            "usage": {"output_tokens": accumulator.output_tokens_at_start},
        },
        {"type": "message_stop"},
    ]
    if as_mapping(event).get("type") == "message_start":
        ends = ends[1:]
    return ends if isinstance(event, dict) else [_as_client_event(event, end) for end in ends]


def _as_client_event(event: Any, fields: dict[str, Any]) -> Any:
    """Return an event object of the same family of types as ``event``."""
    from anthropic import types
    from anthropic.types import beta

    names = {
        "content_block_stop": "RawContentBlockStopEvent",
        "message_delta": "RawMessageDeltaEvent",
        "message_stop": "RawMessageStopEvent",
    }
    name = names[fields["type"]]
    of_beta = type(event).__name__.startswith("Beta")
    kind: Any = getattr(beta, f"Beta{name}") if of_beta else getattr(types, name)
    return kind.model_validate(fields)
