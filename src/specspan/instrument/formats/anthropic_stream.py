"""Events of Anthropic's streams, as a client's objects or as dicts, folded into an answer of the same shape."""

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
"""Which field of a delta has the next piece of its block."""
_BLOCK_TYPES = {"text": "text", "thinking": "thinking", "partial_json": "tool_use"}
"""What a block is of which the first event was lost."""
_DELTAS_WITHOUT_TEXT = ("signature_delta", "citations_delta", "compaction_delta")
_IGNORED_EVENTS = ("content_block_stop", "message_stop", "ping")


class _StreamedBlock:
    """One content block, as far as it was seen."""

    __slots__ = ("pieces", "start")

    def __init__(self, start: Fields) -> None:
        self.start = dict(start)  # applications add the pieces to the first event's own block
        self.pieces: dict[str, list[str]] = defaultdict(list)

    def to_block(self) -> dict[str, Any]:
        """What stands for the block of a plain answer."""
        block = dict(self.start)
        for field, pieces in self.pieces.items():
            if field == "partial_json":
                block["input"] = parse_arguments("".join(pieces)) or block.get("input")
            else:
                block[field] = (as_str(block.get(field)) or "") + "".join(pieces)
        return block


class MessageAccumulator:
    """Folds events into what stands for a message. Counts are cumulative: the last one said of each holds."""

    __slots__ = ("_blocks", "_message", "_stop_reason", "_usage")

    def __init__(self, request: Request) -> None:
        self._message: Fields = {}
        self._blocks: dict[int, _StreamedBlock] = {}
        self._stop_reason: Any = None
        self._usage: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        return self._stop_reason is not None

    @property
    def output_tokens_at_start(self) -> int:
        """What the service said before it knew."""
        return as_mapping(self._message.get("usage")).get("output_tokens") or 0

    def add(self, event: Any) -> None:
        said = event if event.__class__ is dict else vars(event)
        kind = said.get("type")
        if kind == "content_block_delta":
            self._append_delta(said)
        elif kind == "content_block_start":
            self._blocks[self._block_index(said)] = _StreamedBlock(as_mapping(said.get("content_block")))
        elif kind == "message_start":
            self._message = dict(as_mapping(said.get("message")))
            # what it says of the output is a placeholder
            usage = as_mapping(self._message.get("usage"))
            self._usage |= {name: count for name, count in usage.items() if not name.startswith("output_tokens")}
            for index, block in enumerate(as_list(self._message.get("content"))):
                self._blocks[index] = _StreamedBlock(as_mapping(block))
        elif kind == "message_delta":
            self._stop_reason = as_mapping(said.get("delta")).get("stop_reason") or self._stop_reason
            usage = as_mapping(said.get("usage"))
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

    def _append_delta(self, said: Fields) -> None:
        delta = said.get("delta")
        piece = getattr(delta, "__dict__", None) or as_mapping(delta)  # the first is what a client's object has
        kind = piece.get("type")
        field = _DELTA_FIELDS.get(kind) if kind.__class__ is str else None
        if field is None:
            if kind not in _DELTAS_WITHOUT_TEXT:
                unknown_part(kind)
            return
        place = said.get("index")
        if place.__class__ is not int:
            place = self._block_index(said)
        block = self._blocks.get(place)
        if block is None:
            count_not_understood()
            block = self._blocks[self._block_index(said)] = _StreamedBlock({"type": _BLOCK_TYPES[field]})
        text = piece.get(field)
        if text.__class__ is str:
            block.pieces[field].append(text)
        else:
            count_not_understood()

    def _block_index(self, said: Fields) -> int:
        index = said.get("index")
        if isinstance(index, int):
            return index
        count_not_understood()
        return max(self._blocks, default=0)


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event: of the answer, not of reasoning."""
    said = as_mapping(event)
    inner = as_mapping(said.get(_TEXT_HOLDERS.get(str(said.get("type")), "")))
    text = inner.get("text")
    if isinstance(text, str) and text:
        yield 0, text


_TEXT_HOLDERS = {"content_block_delta": "delta", "content_block_start": "content_block"}


def cut(event: Any, choice: int, text: str) -> Any:
    """The event in which a stream is cut, with the given text in place of its own."""
    holder = _TEXT_HOLDERS[as_mapping(event)["type"]]
    return copy_with(event, **{holder: copy_with(as_mapping(event)[holder], text=text)})


def closing_events(seen: MessageAccumulator, event: Any) -> list[Any]:
    """How a message ends whose model declined to go on: what clients know for it."""
    ends: list[dict[str, Any]] = [
        {"type": "content_block_stop", "index": as_mapping(event).get("index")},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal", "stop_sequence": None},
            "usage": {"output_tokens": seen.output_tokens_at_start},
        },
        {"type": "message_stop"},
    ]
    return ends if isinstance(event, dict) else [_as_client_event(event, end) for end in ends]


def _as_client_event(event: Any, said: dict[str, Any]) -> Any:
    """An object for an event, of the family that a client made ``event`` of."""
    from anthropic import types
    from anthropic.types import beta

    names = {
        "content_block_stop": "RawContentBlockStopEvent",
        "message_delta": "RawMessageDeltaEvent",
        "message_stop": "RawMessageStopEvent",
    }
    name = names[said["type"]]
    of_beta = type(event).__name__.startswith("Beta")
    kind: Any = getattr(beta, f"Beta{name}") if of_beta else getattr(types, name)
    return kind.model_validate(said)
