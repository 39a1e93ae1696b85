"""Events in the shape of OpenAI's Responses API, folded into an answer of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from specspan.call import Request
from specspan.instrument.providers._shapes import Fields, changed, fields

_LAST = frozenset(("response.completed", "response.incomplete", "response.failed"))
_ITEMS = frozenset(("response.output_item.added", "response.output_item.done"))
_TEXTS = frozenset(("response.output_text.delta", "response.refusal.delta"))
_PIECES = {
    "response.output_text.delta": ("message", "content", "output_text", "text"),
    "response.refusal.delta": ("message", "content", "refusal", "refusal"),
    "response.reasoning_text.delta": ("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text.delta": ("reasoning", "summary", "summary_text", "text"),
}
"""What pieces of text belong to: kind of item, its list, kind of the list's entry, and the entry's field."""
_FIELDS = {
    "response.function_call_arguments.delta": ("function_call", "arguments"),
    "response.mcp_call_arguments.delta": ("mcp_call", "arguments"),
    "response.custom_tool_call_input.delta": ("custom_tool_call", "input"),
    "response.code_interpreter_call_code.delta": ("code_interpreter_call", "code"),
}
"""What other pieces belong to: kind of item, and its field."""


class _Item:
    """One item of the answer, as far as it was seen."""

    __slots__ = ("item", "pieces", "whole")

    def __init__(self) -> None:
        self.item: Any = None
        """As it was announced, or came to be."""
        self.whole = False
        self.pieces: dict[tuple[str, int], list[str]] = {}
        """By type of event and place in the item."""

    def answered(self) -> Any:
        """What stands for the item of a plain answer."""
        if self.whole or not self.pieces:
            return self.item
        made = dict(fields(self.item))
        lists: dict[str, list[Fields]] = {}
        for (kind, _), texts in sorted(self.pieces.items(), key=lambda piece: piece[0][1]):
            text = "".join(texts)
            if kind in _FIELDS:
                item_kind, field = _FIELDS[kind]
                made[field] = text
            else:
                item_kind, name, entry, field = _PIECES[kind]
                lists.setdefault(name, []).append({"type": entry, field: text})
            made.setdefault("type", item_kind)
        return {**made, **lists}


class ResponsesAccumulator:
    """Folds events into what stands for a response."""

    __slots__ = ("_head", "_items", "finished")

    def __init__(self, request: Request) -> None:
        self.finished = False
        self._head: Any = None
        self._items: dict[int, _Item] = {}

    def add(self, event: Any) -> None:
        kind = event.type
        if kind in _PIECES or kind in _FIELDS:
            place = getattr(event, "content_index", None) or getattr(event, "summary_index", None) or 0
            self._item(event.output_index).pieces.setdefault((kind, place), []).append(event.delta)
        elif kind in _ITEMS:
            item = self._item(event.output_index)
            if event.item is not None and not item.whole:
                item.item, item.whole = event.item, kind.endswith(".done")
        elif (head := getattr(event, "response", None)) is not None and not self.finished:
            self._head, self.finished = head, kind in _LAST
        elif kind == "error":
            self._head, self.finished = SimpleNamespace(**{**fields(self._head), "status": "failed"}), True

    def _item(self, index: int) -> _Item:
        found = self._items.get(index)
        if found is None:
            found = self._items[index] = _Item()
        return found

    def result(self) -> Any:
        head = fields(self._head)
        if self.finished and head.get("output"):
            return self._head
        items = [self._items[index].answered() for index in sorted(self._items)]
        return SimpleNamespace(**{**head, "output": [item for item in items if item is not None]})


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event: of answers and refusals, not of reasoning."""
    if event.type in _TEXTS:
        yield 0, event.delta


def cut(event: Any, choice: int, text: str) -> Any:
    """The last words of a stream that is cut."""
    return changed(event, delta=text, **({"logprobs": []} if fields(event).get("logprobs") else {}))


def closing(seen: ResponsesAccumulator, event: Any) -> Iterator[Any]:
    """The event that tells a client that there is no more, and why."""
    from openai.types.responses import ResponseIncompleteEvent

    answer = vars(seen.result())
    response = {
        **answer,
        "status": "incomplete",
        "incomplete_details": {"reason": "content_filter"},
        "output": [_dumped(item) for item in answer["output"]],
    }
    number = getattr(event, "sequence_number", None)
    numbered = {} if number is None else {"sequence_number": number + 1}
    yield ResponseIncompleteEvent.construct(type="response.incomplete", response=response, **numbered)


def _dumped(item: Any) -> Any:
    return item.to_dict() if hasattr(item, "to_dict") else item
