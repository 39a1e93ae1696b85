"""Stream events in the shape of OpenAI's Responses API: what they add up to, the texts in them, and where they are cut.

A text arrives in deltas, and again whole when its part, its item and the response are complete. Some of it arrives
whole only. `ResponsesAccumulator` knows which texts came, so that only the new ones are watched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Part, Reasoning, Refusal, Request, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Delta
from specspan.instrument.formats.fields import (
    Fields,
    all_fields_of,
    as_index,
    as_mapping,
    as_str,
    attributes_of,
    copy_with,
    list_or_item,
    read_text,
    unknown_part,
)
from specspan.instrument.formats.openai_responses import read_output
from specspan.instrument.formats.watched_texts import (
    ANNOTATION_EVENT,
    DONE_EVENTS,
    ITEM_EVENTS,
    PART_EVENTS,
    TEXT_DELTAS,
    NewText,
    WatchedTexts,
    event_kind,
)

_FINAL_EVENTS = frozenset(("response.completed", "response.incomplete", "response.failed"))
_LIST_DELTAS = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.audio.transcript.delta": ("message", "content", "output_audio", "transcript"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
}
"""Type of item, its list, type of the list's entries and their text field, by event."""
_FIELD_DELTAS = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.mcp_call_arguments.delta": ("mcp_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
    "response.code_interpreter_call_code.delta": ("code_interpreter_call", "code"),
}
"""Type of item and its field, by event."""
_FIELDS_DONE = {f"{kind.removesuffix('delta')}done": place for kind, place in _FIELD_DELTAS.items()}
"""As `_FIELD_DELTAS`, for events with the whole field, which has its name."""
_WHOLE_EVENTS = frozenset((*DONE_EVENTS, *PART_EVENTS, *_FIELDS_DONE, ANNOTATION_EVENT))
"""Events with something of an item that came whole."""
_SOUND_DELTA = "response.audio.delta"
_TRANSCRIPT_DELTA = "response.audio.transcript.delta"


class ResponsesAccumulator:
    """Accumulator that builds a response from the events of a stream."""

    __slots__ = (
        "_has_sound",
        "_has_transcript",
        "_head",
        "_is_final",
        "_items",
        "_latest",
        "_left_out",
        "_unknown",
        "_watched",
        "finished",
    )

    def __init__(self, request: Request) -> None:
        self.finished = False
        self._head: Any = None
        self._is_final = False
        self._items = _StreamedItems()
        self._left_out: list[Any] = []
        """Items of a former head that the latest one does not have."""
        self._unknown: dict[str, Any] = {}
        self._has_sound = self._has_transcript = False
        self._watched = WatchedTexts()
        self._latest: tuple[Any, str, Fields, list[NewText]] = (None, "", {}, [])

    def new_texts(self, event: Any) -> Iterable[Delta]:
        """Return the texts in an event that did not come before, by their place in the answer.

        The answer for the latest event is the same after it was added.
        """
        return self._read(event)[3]

    def _read(self, event: Any) -> tuple[Any, str, Fields, list[NewText]]:
        """Return an event with its type, its fields and its new texts; the latest event is read once."""
        if self._latest[0] is not event:
            fields = all_fields_of(event)
            kind = event_kind(fields)
            self._latest = event, kind, fields, self._watched.find_new(kind, fields)
        return self._latest

    def add(self, event: Any) -> None:
        _, kind, fields, new = self._read(event)
        if new:
            self._watched.add(new)
        if kind in _LIST_DELTAS or kind in _FIELD_DELTAS:
            self.finished = False
            self._has_transcript = self._has_transcript or kind == _TRANSCRIPT_DELTA
            self._items.at(fields).add_delta(kind, fields)
        elif kind in ITEM_EVENTS:
            self.finished = False
            item = fields.get("item")
            if item is not None:
                self._items.at(fields, as_mapping(item).get("id")).add_item(item, kind)
        elif kind in _WHOLE_EVENTS:
            self.finished = self.finished and not new
            self._items.at(fields).add_part(kind, fields)
        elif (head := fields.get("response")) is not None:
            self._take_head(head, is_final=kind in _FINAL_EVENTS)
        elif kind == "error":
            self._head, self.finished = SimpleNamespace(**{**as_mapping(self._head), "status": "failed"}), True
        elif kind == _SOUND_DELTA:
            self._has_sound = True
        elif fields.get("delta"):
            self._unknown.setdefault(kind, {"type": kind or "None"})

    def _take_head(self, head: Any, *, is_final: bool) -> None:
        """Take in what an event says of the response as a whole."""
        before, fields = self._head, as_mapping(head)
        if not fields:
            return
        output = fields.get("output")
        if before is not None and self._is_final and not is_final:
            before, head = head, before
        kept = read_output(as_mapping(head).get("output"), None).parts
        self._left_out += [item for item in _items_of(before) if not _are_covered(item, kept)]
        self._head, self._is_final = head, self._is_final or is_final
        self.finished = is_final or (self.finished and not output)

    def result(self) -> Any:
        head = as_mapping(self._head)
        output = _items_of(self._head)
        parts = list(read_output(output, None).parts)
        more = []
        for item in (*self._left_out, *self._items.to_items()):
            if not _are_covered(item, parts):
                more.append(item)
                parts += read_output([item], None).parts
        more += self._unknown.values()
        if self._has_sound and not self._has_transcript:
            more.append({"type": "message", "content": [{"type": "input_audio"}]})
        if not more and self._head is not None:
            return self._head
        return SimpleNamespace(**{**head, "output": [*output, *more]})


def _items_of(head: Any) -> list[Any]:
    return list(list_or_item(as_mapping(head).get("output") or ()))


def _are_covered(item: Any, parts: Iterable[Part]) -> bool:
    """Return whether ``parts`` hold all that an item holds."""
    return all(any(_is_covered(part, other) for other in parts) for part in read_output([item], None).parts)


def _is_covered(part: Part, other: Part) -> bool:
    """Return whether a part is another one, or the beginning of it."""
    if part == other:
        return True
    if isinstance(part, (Text, Refusal, Reasoning)):
        return isinstance(other, (Text, Refusal, Reasoning)) and other.content.startswith(part.content)
    if isinstance(part, ToolCallResponse):
        return isinstance(other, ToolCallResponse) and part.response == other.response
    if isinstance(part, ToolCall) and isinstance(other, ToolCall) and part.name in (other.name, ""):
        if part.arguments and part.arguments != other.arguments:
            return isinstance(part.arguments, str) and _begins(part.arguments, other.arguments)
        return part.id is None or part.id == other.id
    return False


def _begins(piece: str, arguments: Any) -> bool:
    """Return whether text that is no JSON yet may be the beginning of arguments."""
    return arguments.startswith(piece) if isinstance(arguments, str) else arguments is not None


class _StreamedItems:
    """Items of a streamed response.

    An item is known by its id; pieces without a known id belong to the latest item with their index.
    """

    __slots__ = ("_by_id", "_items", "_latest")

    def __init__(self) -> None:
        self._items: list[tuple[int, _StreamedItem]] = []
        self._by_id: dict[str, _StreamedItem] = {}
        self._latest: dict[int | None, _StreamedItem] = {}

    def at(self, event: Fields, item_id: Any = None) -> _StreamedItem:
        """Return the item that an event is about, which may be a new one.

        ``item_id`` is the id of an item that the event holds.
        """
        is_start = item_id is not None
        index = as_index(event.get("output_index"))
        item_id = as_str(event.get("item_id") if index is None and item_id is None else item_id)
        item = self._by_id.get(item_id) if item_id else None
        if item is None:
            item = self._latest.get(index)
            if item is None or (is_start and item_id and item.has_start):
                item = _StreamedItem()
                self._items.append((len(self._items) if index is None else index, item))
            if item_id and is_start:
                item.id, self._by_id[item_id] = item_id, item
        self._latest[index] = item
        return item

    def to_items(self) -> Iterator[Any]:
        """Yield the items as an unstreamed response has them."""
        for _, item in sorted(self._items, key=lambda each: each[0]):
            yield from item.to_items()


class _StreamedItem:
    """Accumulated pieces of one output item."""

    __slots__ = ("_annotations", "_fields", "_is_complete", "_items", "_parts", "_pieces", "id")

    def __init__(self) -> None:
        self.id: str | None = None
        self._items: list[Any] = []
        """The item, as the events about it have it."""
        self._is_complete = False
        self._pieces: defaultdict[tuple[str, int], TextPieces] = defaultdict(TextPieces)
        """Pieces of text by type of event and index in the item."""
        self._parts: list[Fields] = []
        """Parts that came whole."""
        self._annotations: list[Any] = []
        self._fields: list[Fields] = []
        """Fields that came whole, each with the type of the item."""

    @property
    def has_start(self) -> bool:
        """Return whether an event that tells the kind of the item has come."""
        return bool(self._items)

    def add_delta(self, kind: str, event: Fields) -> None:
        """Append a piece of a text."""
        place = as_index(event.get("content_index")) or as_index(event.get("summary_index")) or 0
        delta = event.get("delta")
        text = read_text(delta)
        if text is None and delta is not None:
            self._parts.append({"type": unknown_part(type(delta).__name__).type})
        self._pieces[kind, place].write(text or "")

    def add_item(self, item: Any, kind: str) -> None:
        """Take in the item as its first or last event has it."""
        self._items.append(item)
        self._is_complete = self._is_complete or kind.endswith(".done")

    def add_part(self, kind: str, event: Fields) -> None:
        """Take in a part or a field that came whole, or an annotation of a part."""
        if kind == ANNOTATION_EVENT:
            self._annotations.append(event.get("annotation"))
        elif kind in _FIELDS_DONE:
            item_kind, field = _FIELDS_DONE[kind]
            self._fields += [{"type": item_kind, field: value}] if (value := event.get(field)) else ()
        elif kind in DONE_EVENTS:
            field = DONE_EVENTS[kind]
            text = read_text(event.get(field))
            if text:
                self._parts.append({"type": "refusal" if field == "refusal" else "output_text", field: text})
        elif part := event.get("part"):
            fields = {"type": "output_text", "text": part} if isinstance(part, str) else as_mapping(part)
            if read_text(fields.get("text")) != "" or fields.get("annotations"):
                self._parts.append(fields)

    def to_items(self) -> Iterator[Any]:
        """Yield the item as an unstreamed response has it, and items with what else came of it."""
        last = self._items[-1] if self._items else None
        joined = self._joined(as_mapping(last)) if self._pieces else None
        wholes = list(_without_beginnings([{"type": "message", "content": [part]} for part in self._parts]))
        if self._annotations:
            text = {"type": "output_text", "text": "", "annotations": self._annotations}
            wholes.append({"type": "message", "content": [text]})
        wholes += [{**as_mapping(last), **fields} for fields in self._fields]
        if joined is not None and _are_covered(joined, read_output(wholes, None).parts):
            joined = None
        candidates = [last, joined] if self._is_complete or joined is None else [joined, last]
        for item in (*candidates, *reversed(self._items[:-1]), *wholes):
            if item is not None:
                yield item

    def _joined(self, item: Fields) -> Fields:
        """Return an item with the pieces that came of it."""
        fields = dict(item)
        lists: dict[str, list[Fields]] = {}
        for (kind, _), written in sorted(self._pieces.items(), key=lambda piece: piece[0][1]):
            text = written.getvalue()
            if kind in _FIELD_DELTAS:
                item_kind, field = _FIELD_DELTAS[kind]
                fields[field] = text
            else:
                item_kind, name, entry, field = _LIST_DELTAS[kind]
                lists.setdefault(name, []).append({"type": entry, field: text})
            fields["type"] = fields.get("type") or item_kind
        return {**fields, **lists}


def _without_beginnings(items: Sequence[Any]) -> Iterator[Any]:
    """Yield the items of which the later ones do not hold all."""
    for number, item in enumerate(items, 1):
        if not _are_covered(item, read_output(items[number:], None).parts):
            yield item


def deltas(event: Any) -> Iterator[Delta]:
    """Yield the text in an event of a piece of text: answers, refusals and transcripts, without reasoning."""
    if event_kind(attributes_of(event)) in TEXT_DELTAS and (text := read_text(attributes_of(event).get("delta"))):
        yield 0, text


def new_texts(accumulator: ResponsesAccumulator, event: Any) -> Iterable[Delta]:
    """Return the texts in an event that did not come before."""
    return accumulator.new_texts(event)


def part_of(event: Any) -> Hashable:
    """Return the place of a piece of reasoning; what arrives whole has come before, and is a part of its own."""
    fields = all_fields_of(event)
    kind = event_kind(fields)
    if kind not in _LIST_DELTAS:
        return object()
    return kind, *(as_index(fields.get(name)) for name in ("output_index", "content_index", "summary_index"))


def cut_fields(event: Any, text: str) -> dict[str, Any]:
    """Return the fields of the delta that stands in place of an event at which a stream is cut."""
    indexes = {name: as_index(getattr(event, name, None)) or 0 for name in ("output_index", "content_index")}
    return {
        "type": "response.output_text.delta",
        "item_id": as_str(getattr(event, "item_id", None)) or "",
        **indexes,
        "delta": text,
        "logprobs": [],
        "sequence_number": as_index(getattr(event, "sequence_number", None)) or 0,
    }


def is_text_delta(event: Any) -> bool:
    """Return whether an event holds a piece of text, so that it is cut by an edit of that piece."""
    return event_kind(attributes_of(event)) in TEXT_DELTAS


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the event at which a stream is cut, with ``text`` in place of its own."""
    if is_text_delta(event):
        return copy_with(event, delta=text, **({"logprobs": []} if as_mapping(event).get("logprobs") else {}))
    from openai.types.responses import ResponseTextDeltaEvent

    return ResponseTextDeltaEvent.construct(**cut_fields(event, text))


def closing_events(accumulator: ResponsesAccumulator, event: Any) -> Iterator[Any]:
    """Yield the event that ends a response as incomplete, with the reason ``content_filter``."""
    from openai.types.responses import ResponseIncompleteEvent

    response_fields = as_mapping(accumulator.result())
    response = {
        **response_fields,
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": [_to_dict(item) for item in response_fields["output"]],
    }
    number = getattr(event, "sequence_number", None)
    sequence = {} if number is None else {"sequence_number": number + 1}
    yield ResponseIncompleteEvent.construct(type="response.incomplete", response=response, **sequence)


def _to_dict(item: Any) -> Any:
    return item.to_dict() if hasattr(item, "to_dict") else item
