"""Stream events of Anthropic's API, accumulated into a message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from specspan.call import Request
from specspan.instrument.formats.fields import (
    Fields,
    as_list,
    as_mapping,
    as_str,
    copy_with,
    count_not_understood,
    parse_arguments,
    unknown_part,
)

_DELTA_FIELDS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
"""Field of a delta that holds the next piece of its block."""
_BLOCK_TYPES = {"text": "text", "thinking": "thinking", "partial_json": "tool_use"}
"""Type of a block whose start event was lost, by the field of its delta."""
_DELTAS_WITHOUT_TEXT = ("signature_delta", "citations_delta", "compaction_delta")
_IGNORED_EVENTS = ("content_block_stop", "message_stop", "ping")


class MessageAccumulator:
    """Accumulator that builds a message from the events of a stream.

    Token counts are cumulative: the last value of each is the total.
    """

    __slots__ = ("_blocks", "_message", "_stop_reason", "_usage", "finished")

    def __init__(self, request: Request) -> None:
        self._message: Fields = {}
        self._blocks: dict[int, _StreamedBlock] = {}
        self._stop_reason: Any = None
        self._usage: dict[str, Any] = {}
        self.finished = False

    @property
    def output_tokens_at_start(self) -> int:
        """Return the output tokens that the first event announced."""
        return as_mapping(self._message.get("usage")).get("output_tokens") or 0

    def add(self, event: Any) -> None:
        fields = event if event.__class__ is dict else vars(event)
        kind = fields.get("type")
        if kind == "content_block_delta":
            self.finished = False
            self._append_delta(fields)
        elif kind == "content_block_start":
            self.finished = False
            self._blocks[self._block_index(fields)] = _StreamedBlock(as_mapping(fields.get("content_block")))
        elif kind == "message_start":
            self.finished = False
            self._message = dict(as_mapping(fields.get("message")))
            # the first event's output tokens are placeholders
            usage = as_mapping(self._message.get("usage"))
            self._usage |= {name: count for name, count in usage.items() if not name.startswith("output_tokens")}
            for index, block in enumerate(as_list(self._message.get("content"))):
                self._blocks[index] = _StreamedBlock(as_mapping(block))
        elif kind == "message_delta":
            self._stop_reason = as_mapping(fields.get("delta")).get("stop_reason") or self._stop_reason
            self.finished = bool(self._stop_reason)
            usage = as_mapping(fields.get("usage"))
            self._usage |= {name: count for name, count in usage.items() if count is not None}
        elif kind not in _IGNORED_EVENTS:
            unknown_part(kind)

    def result(self) -> dict[str, Any]:
        return {
            **self._message,
            "content": [self._blocks[index].to_block() for index in sorted(self._blocks)],
            "stop_reason": self._stop_reason,
            "usage": self._usage,
        }

    def _append_delta(self, fields: Fields) -> None:
        delta = fields.get("delta")
        piece = getattr(delta, "__dict__", None) or as_mapping(delta)  # a client's object has a __dict__
        kind = piece.get("type")
        field = _DELTA_FIELDS.get(kind) if kind.__class__ is str else None
        if field is None:
            if kind not in _DELTAS_WITHOUT_TEXT:
                unknown_part(kind)
            return
        index = fields.get("index")
        if index.__class__ is not int:
            index = self._block_index(fields)
        block = self._blocks.get(index)
        if block is None:
            count_not_understood()
            block = self._blocks[self._block_index(fields)] = _StreamedBlock({"type": _BLOCK_TYPES[field]})
        text = piece.get(field)
        if text.__class__ is str:
            block.pieces[field].append(text)
        else:
            count_not_understood()

    def _block_index(self, fields: Fields) -> int:
        index = fields.get("index")
        if isinstance(index, int):
            return index
        count_not_understood()
        return max(self._blocks, default=0)


class _StreamedBlock:
    """Accumulated pieces of one content block."""

    __slots__ = ("pieces", "start")

    def __init__(self, start: Fields) -> None:
        self.start = dict(start)  # applications add the pieces to the first event's own block
        self.pieces: dict[str, list[str]] = defaultdict(list)

    def to_block(self) -> dict[str, Any]:
        """Return the block as an unstreamed message has it."""
        block = dict(self.start)
        for field, pieces in self.pieces.items():
            if field == "partial_json":
                block["input"] = parse_arguments("".join(pieces)) or block.get("input")
            else:
                block[field] = (as_str(block.get(field)) or "") + "".join(pieces)
        return block


_TEXT_HOLDERS = {"content_block_delta": "delta", "content_block_start": "content_block"}


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """Yield the answer's text in an event, without reasoning."""
    fields = as_mapping(event)
    holder = as_mapping(fields.get(_TEXT_HOLDERS.get(str(fields.get("type")), "")))
    text = holder.get("text")
    if isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the event at which a stream is cut, with ``text`` in place of its own."""
    holder = _TEXT_HOLDERS[as_mapping(event)["type"]]
    return copy_with(event, **{holder: copy_with(as_mapping(event)[holder], text=text)})


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
