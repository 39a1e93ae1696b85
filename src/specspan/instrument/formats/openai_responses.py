"""Items in the shape of OpenAI's Responses API, as dicts or as a client's objects, both ways.

What is asked is a list of items, and so is what is answered: messages, reasoning, calls of tools and what came of them.
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
"""What stands beside a text and goes with it."""
_ARGUMENT_FIELDS = ("arguments", "input", "action", "operation", "code", "queries")
"""Where the kinds of tool call keep what the tool is given."""
_MODALITIES = {"input_image": "image", "input_file": "file", "input_audio": "audio"}


def read_item(item: Any) -> Message:
    """What one item of a request says."""
    said = as_mapping(item)
    return Message(_read_role(said), tuple([part for part, _ in _item_parts(said)]))


def read_output(items: Any, finish_reason: str | None) -> Message:
    """What all items of an answer say: it is one message."""
    parts = [part for item in as_list(items) for part, _ in _item_parts(as_mapping(item))]
    return Message("assistant", tuple(parts), finish_reason=finish_reason)


def edit_input(items: Iterable[Any], edits: Edits) -> list[Any]:
    """Items of a request with the texts that ``edits`` has for them."""
    return [
        replace_texts(item, _item_parts, (edits.get(f"/input/{i}/parts/{j}") for j in count()))
        for i, item in enumerate(items)
    ]


def edit_output(items: Iterable[Any], edits: Edits) -> list[Any]:
    """Items of an answer with the texts that ``edits`` has for them."""
    texts = (edits.get(f"/output/0/parts/{j}") for j in count())
    return [replace_texts(item, _item_parts, texts) for item in items]


def _read_role(said: Fields) -> str:
    role = said.get("role")
    if role:
        return str(role)
    return "tool" if str(said.get("type")).endswith("_output") else "assistant"


def _item_parts(said: Fields) -> Iterator[tuple[Part, ReplaceText | None]]:
    """The parts of an item, each with how to put another text in its place."""
    kind = str(said.get("type") or "message")
    if kind == "message":
        yield from _content_parts(said, "content")
    elif kind == "reasoning":
        yield from _content_parts(said, "summary")
        yield from _content_parts(said, "content")
    elif kind.endswith("_output"):
        yield from _tool_output_parts(said, "result" if "result" in said else "output")
    elif kind.endswith("_call") or kind == "mcp_approval_request":
        yield from _tool_call_parts(said, kind)
    else:
        yield unknown_part(kind), None


def _content_parts(said: Fields, name: str) -> Iterator[tuple[Part, ReplaceText | None]]:
    content = said.get(name)
    if isinstance(content, str):
        yield Text(content), lambda item, text: copy_with(item, **{name: text})
    else:
        for index, piece in enumerate(as_list(content)):
            yield _content_part(as_mapping(piece), name, index)


def _content_part(said: Fields, name: str, index: int) -> tuple[Part, ReplaceText | None]:
    kind, text = str(said.get("type")), said.get("text")
    if isinstance(text, str):
        made = Reasoning(text) if kind in ("summary_text", "reasoning_text") else Text(text)
        return made, replace_in_list(name, index, "text", **_DERIVED_FROM_TEXT)
    if kind == "refusal":
        return Refusal(said.get("refusal") or ""), replace_in_list(name, index, "refusal")
    if kind in _MODALITIES:
        return Media(
            _MODALITIES[kind], *media_reference(said.get("image_url") or said.get("file_url") or said.get("file_id"))
        ), None
    return unknown_part(kind), None


def _tool_call_parts(said: Fields, kind: str) -> Iterator[tuple[Part, ReplaceText | None]]:
    """A call of a tool: of the application's, or of the service's own, with what came of it in the same item."""
    given = next((said[name] for name in _ARGUMENT_FIELDS if said.get(name)), None)
    arguments = parse_arguments(given) if isinstance(given, str) else _dump_models(given)
    call_id = said.get("call_id") or said.get("id")
    yield ToolCall(str(said.get("name") or kind.removesuffix("_call")), arguments, call_id), None
    if kind == "mcp_call":
        yield from _tool_output_parts(said, "output")
    elif kind == "image_generation_call" and said.get("result"):
        yield Media("image", mime_type=f"image/{said.get('output_format') or 'png'}"), None


def _dump_models(given: Any) -> Any:
    """What a client made objects of, as it was."""
    if isinstance(given, list):
        return [_dump_models(each) for each in given]
    return given.model_dump(exclude_unset=True) if hasattr(given, "model_dump") else given


def _tool_output_parts(said: Fields, name: str) -> Iterator[tuple[Part, ReplaceText | None]]:
    answer = said.get(name)
    call_id = said.get("call_id") or said.get("id")
    if isinstance(answer, str):
        yield ToolCallResponse(answer, call_id), lambda item, text: copy_with(item, **{name: text})
    elif isinstance(answer, list):
        for index, piece in enumerate(answer):
            part, put = _content_part(as_mapping(piece), name, index)
            yield (ToolCallResponse(part.content, call_id) if isinstance(part, Text) else part), put
    elif answer is not None:
        yield ToolCallResponse(_dump_models(answer), call_id), None


# MERGED _responses_stream: Events in the shape of OpenAI's Responses API, folded into an answer of the same shape.


_FINAL_EVENTS = frozenset(("response.completed", "response.incomplete", "response.failed"))
_ITEM_EVENTS = frozenset(("response.output_item.added", "response.output_item.done"))
_TEXT_EVENTS = frozenset(("response.output_text.delta", "response.refusal.delta"))
_LIST_DELTAS = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
}
"""What pieces of text belong to: kind of item, its list, kind of the list's entry, and the entry's field."""
_FIELD_DELTAS = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.mcp_call_arguments.delta": ("mcp_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
    "response.code_interpreter_call_code.delta": ("code_interpreter_call", "code"),
}
"""What other pieces belong to: kind of item, and its field."""


class _StreamedItem:
    """One item of the answer, as far as it was seen."""

    __slots__ = ("is_complete", "item", "pieces")

    def __init__(self) -> None:
        self.item: Any = None
        """As it was announced, or came to be."""
        self.is_complete = False
        self.pieces: dict[tuple[str, int], list[str]] = {}
        """By type of event and place in the item."""

    def to_item(self) -> Any:
        """What stands for the item of a plain answer."""
        if self.is_complete or not self.pieces:
            return self.item
        made = dict(as_mapping(self.item))
        lists: dict[str, list[Fields]] = {}
        for (kind, _), texts in sorted(self.pieces.items(), key=lambda piece: piece[0][1]):
            text = "".join(texts)
            if kind in _FIELD_DELTAS:
                item_kind, field = _FIELD_DELTAS[kind]
                made[field] = text
            else:
                item_kind, name, entry, field = _LIST_DELTAS[kind]
                lists.setdefault(name, []).append({"type": entry, field: text})
            made.setdefault("type", item_kind)
        return {**made, **lists}


class ResponsesAccumulator:
    """Folds events into what stands for a response."""

    __slots__ = ("_head", "_items", "finished")

    def __init__(self, request: Request) -> None:
        self.finished = False
        self._head: Any = None
        self._items: dict[int, _StreamedItem] = {}

    def add(self, event: Any) -> None:
        kind = event.type
        if kind in _LIST_DELTAS or kind in _FIELD_DELTAS:
            place = getattr(event, "content_index", None) or getattr(event, "summary_index", None) or 0
            self._item(event.output_index).pieces.setdefault((kind, place), []).append(event.delta)
        elif kind in _ITEM_EVENTS:
            item = self._item(event.output_index)
            if event.item is not None and not item.is_complete:
                item.item, item.is_complete = event.item, kind.endswith(".done")
        elif (head := getattr(event, "response", None)) is not None and not self.finished:
            self._head, self.finished = head, kind in _FINAL_EVENTS
        elif kind == "error":
            self._head, self.finished = SimpleNamespace(**{**as_mapping(self._head), "status": "failed"}), True

    def _item(self, index: int) -> _StreamedItem:
        found = self._items.get(index)
        if found is None:
            found = self._items[index] = _StreamedItem()
        return found

    def result(self) -> Any:
        head = as_mapping(self._head)
        if self.finished and head.get("output"):
            return self._head
        items = [self._items[index].to_item() for index in sorted(self._items)]
        return SimpleNamespace(**{**head, "output": [item for item in items if item is not None]})


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event: of answers and refusals, not of reasoning."""
    if event.type in _TEXT_EVENTS:
        yield 0, event.delta


def cut(event: Any, choice: int, text: str) -> Any:
    """The last words of a stream that is cut."""
    return copy_with(event, delta=text, **({"logprobs": []} if as_mapping(event).get("logprobs") else {}))


def closing_events(seen: ResponsesAccumulator, event: Any) -> Iterator[Any]:
    """The event that tells a client that there is no more, and why."""
    from openai.types.responses import ResponseIncompleteEvent

    answer = vars(seen.result())
    response = {
        **answer,
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": [_to_dict(item) for item in answer["output"]],
    }
    number = getattr(event, "sequence_number", None)
    numbered = {} if number is None else {"sequence_number": number + 1}
    yield ResponseIncompleteEvent.construct(type="response.incomplete", response=response, **numbered)


def _to_dict(item: Any) -> Any:
    return item.to_dict() if hasattr(item, "to_dict") else item
