"""Items and stream events in the shape of OpenAI's Responses API, as dicts or as a client's objects.

Input and output are lists of items: messages, reasoning, tool calls and their results.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Refusal, Request, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.fields import (
    Fields,
    ReplaceText,
    as_list,
    as_mapping,
    copy_with,
    media_reference,
    parse_arguments,
    replace_in_list,
    replace_texts,
    unknown_part,
)

_DERIVED_FROM_TEXT: dict[str, Any] = {"annotations": [], "logprobs": None, "parsed": None}
"""Fields beside a text that are reset when the text is edited."""
_ARGUMENT_FIELDS = ("arguments", "input", "action", "operation", "code", "queries")
"""Fields in which the kinds of tool call keep their arguments."""
_MODALITIES = {"input_image": "image", "input_file": "file", "input_audio": "audio"}


def read_item(item: Any) -> Message:
    """Read one item of a request as a message."""
    fields = as_mapping(item)
    return Message(_read_role(fields), tuple([part for part, _ in _item_parts(fields)]))


def read_output(items: Any, finish_reason: str | None) -> Message:
    """Read all output items as one message."""
    parts = [part for item in as_list(items) for part, _ in _item_parts(as_mapping(item))]
    return Message("assistant", tuple(parts), finish_reason=finish_reason)


def edit_input(items: Iterable[Any], edits: Edits) -> list[Any]:
    """Return the items of a request with the texts that ``edits`` has for them."""
    return [
        replace_texts(item, _item_parts, (edits.get(f"/input/{i}/parts/{j}") for j in count()))
        for i, item in enumerate(items)
    ]


def edit_output(items: Iterable[Any], edits: Edits) -> list[Any]:
    """Return the items of a response with the texts that ``edits`` has for them."""
    texts = (edits.get(f"/output/0/parts/{j}") for j in count())
    return [replace_texts(item, _item_parts, texts) for item in items]


def _read_role(item: Fields) -> str:
    role = item.get("role")
    if role:
        return str(role)
    return "tool" if str(item.get("type")).endswith("_output") else "assistant"


def _item_parts(item: Fields) -> Iterator[tuple[Part, ReplaceText | None]]:
    """Yield the parts of an item, each with the function that replaces its text."""
    kind = str(item.get("type") or "message")
    if kind == "message":
        yield from _content_parts(item, "content")
    elif kind == "reasoning":
        yield from _content_parts(item, "summary")
        yield from _content_parts(item, "content")
    elif kind.endswith("_output"):
        yield from _tool_output_parts(item, "result" if "result" in item else "output")
    elif kind.endswith("_call") or kind == "mcp_approval_request":
        yield from _tool_call_parts(item, kind)
    else:
        yield unknown_part(kind), None


def _content_parts(item: Fields, name: str) -> Iterator[tuple[Part, ReplaceText | None]]:
    content = item.get(name)
    if isinstance(content, str):
        yield Text(content), lambda item, text: copy_with(item, **{name: text})
    else:
        for index, piece in enumerate(as_list(content)):
            yield _content_part(as_mapping(piece), name, index)


def _content_part(fields: Fields, name: str, index: int) -> tuple[Part, ReplaceText | None]:
    kind, text = str(fields.get("type")), fields.get("text")
    if isinstance(text, str):
        part = Reasoning(text) if kind in ("summary_text", "reasoning_text") else Text(text)
        return part, replace_in_list(name, index, "text", **_DERIVED_FROM_TEXT)
    if kind == "refusal":
        return Refusal(fields.get("refusal") or ""), replace_in_list(name, index, "refusal")
    if kind in _MODALITIES:
        return Media(
            _MODALITIES[kind],
            *media_reference(fields.get("image_url") or fields.get("file_url") or fields.get("file_id")),
        ), None
    return unknown_part(kind), None


def _tool_call_parts(item: Fields, kind: str) -> Iterator[tuple[Part, ReplaceText | None]]:
    """Yield a tool call; for a tool of the service also its result, which the same item holds."""
    value = next((item[name] for name in _ARGUMENT_FIELDS if item.get(name)), None)
    arguments = parse_arguments(value) if isinstance(value, str) else _dump_models(value)
    call_id = item.get("call_id") or item.get("id")
    yield ToolCall(str(item.get("name") or kind.removesuffix("_call")), arguments, call_id), None
    if kind == "mcp_call":
        yield from _tool_output_parts(item, "output")
    elif kind == "image_generation_call" and item.get("result"):
        yield Media("image", mime_type=f"image/{item.get('output_format') or 'png'}"), None


def _dump_models(value: Any) -> Any:
    """Return plain data in place of the client's objects."""
    if isinstance(value, list):
        return [_dump_models(each) for each in value]
    return value.model_dump(exclude_unset=True) if hasattr(value, "model_dump") else value


def _tool_output_parts(item: Fields, name: str) -> Iterator[tuple[Part, ReplaceText | None]]:
    answer = item.get(name)
    call_id = item.get("call_id") or item.get("id")
    if isinstance(answer, str):
        yield ToolCallResponse(answer, call_id), lambda item, text: copy_with(item, **{name: text})
    elif isinstance(answer, list):
        for index, piece in enumerate(answer):
            part, replace = _content_part(as_mapping(piece), name, index)
            yield (ToolCallResponse(part.content, call_id) if isinstance(part, Text) else part), replace
    elif answer is not None:
        yield ToolCallResponse(_dump_models(answer), call_id), None


_FINAL_EVENTS = frozenset(("response.completed", "response.incomplete", "response.failed"))
_ITEM_EVENTS = frozenset(("response.output_item.added", "response.output_item.done"))
_TEXT_EVENTS = frozenset(("response.output_text.delta", "response.refusal.delta"))
_LIST_DELTAS = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
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


class ResponsesAccumulator:
    """Accumulator that builds a response from the events of a stream."""

    __slots__ = ("_head", "_items", "finished")

    def __init__(self, request: Request) -> None:
        self.finished = False
        self._head: Any = None
        self._items: dict[int, _StreamedItem] = {}

    def add(self, event: Any) -> None:
        kind = event.type
        if kind in _LIST_DELTAS or kind in _FIELD_DELTAS:
            self.finished = False
            place = getattr(event, "content_index", None) or getattr(event, "summary_index", None) or 0
            self._item(event.output_index).pieces.setdefault((kind, place), []).append(event.delta)
        elif kind in _ITEM_EVENTS:
            self.finished = False
            item = self._item(event.output_index)
            if event.item is not None and not item.is_complete:
                item.item, item.is_complete = event.item, kind.endswith(".done")
        elif (head := getattr(event, "response", None)) is not None and not self.finished:
            self._head, self.finished = head, kind in _FINAL_EVENTS
        elif kind == "error":
            self._head, self.finished = SimpleNamespace(**{**as_mapping(self._head), "status": "failed"}), True

    def _item(self, index: int) -> _StreamedItem:
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _StreamedItem()
        return item

    def result(self) -> Any:
        head = as_mapping(self._head)
        if self.finished and head.get("output"):
            return self._head
        items = [self._items[index].to_item() for index in sorted(self._items)]
        return SimpleNamespace(**{**head, "output": [item for item in items if item is not None]})


class _StreamedItem:
    """Accumulated pieces of one output item."""

    __slots__ = ("is_complete", "item", "pieces")

    def __init__(self) -> None:
        self.item: Any = None
        """The item, as the last event about it has it."""
        self.is_complete = False
        self.pieces: dict[tuple[str, int], list[str]] = {}
        """Pieces of text by type of event and index in the item."""

    def to_item(self) -> Any:
        """Return the item as an unstreamed response has it."""
        if self.is_complete or not self.pieces:
            return self.item
        fields = dict(as_mapping(self.item))
        lists: dict[str, list[Fields]] = {}
        for (kind, _), texts in sorted(self.pieces.items(), key=lambda piece: piece[0][1]):
            text = "".join(texts)
            if kind in _FIELD_DELTAS:
                item_kind, field = _FIELD_DELTAS[kind]
                fields[field] = text
            else:
                item_kind, name, entry, field = _LIST_DELTAS[kind]
                lists.setdefault(name, []).append({"type": entry, field: text})
            fields.setdefault("type", item_kind)
        return {**fields, **lists}


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """Yield the text in an event: answers and refusals, without reasoning."""
    if event.type in _TEXT_EVENTS:
        yield 0, event.delta


def cut(event: Any, choice: int, text: str) -> Any:
    """Return the event at which a stream is cut, with ``text`` in place of its own."""
    return copy_with(event, delta=text, **({"logprobs": []} if as_mapping(event).get("logprobs") else {}))


def closing_events(accumulator: ResponsesAccumulator, event: Any) -> Iterator[Any]:
    """Yield the event that ends a response as incomplete, with the reason ``content_filter``."""
    from openai.types.responses import ResponseIncompleteEvent

    response_fields = vars(accumulator.result())
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
