"""Reader and editor of what model functions take and return: dicts, lists, tuples and objects with fields.

Each text is a part of its own, in the order of the value; then follow the keys of the dicts, since a model may have
chosen them. Each part has a place, by which the pieces of a streamed value are put together. Numbers, dates and the
like have no text. For anything else an `specspan.call.Unknown` part stands, by the name of its type.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import numbers
import uuid
from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from specspan.call import Part, Text
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.fields import as_mapping, copy_with, unknown_part

_MAX_DEPTH = 100
_TEXTLESS = (numbers.Number, dt.date, dt.time, dt.timedelta, uuid.UUID, type(None))
_UNFINISHED: Any = object()
_KEYS = "keys"


def read_parts(value: Any) -> tuple[Part, ...]:
    """Return the parts of an answer that is any value."""
    if isinstance(value, str):
        return (Text(value),) if value else ()
    visitor = _Visitor({})
    visitor.visit(value)
    return visitor.all_parts()


def read_places(value: Any) -> tuple[tuple[Hashable, Part], ...]:
    """Return the parts of a value with the place of each: the keys, fields and positions that lead to it."""
    if isinstance(value, str):
        return (((), Text(value)),) if value else ()
    visitor = _Visitor({})
    visitor.visit(value)
    places = (*visitor.places, *((_KEYS,) * len(visitor.keys)))
    return tuple(zip(places, visitor.all_parts(), strict=True))


def replace_texts(value: Any, edits: Edits) -> Any:
    """Return a copy of a value with the edits to its parts. What has no edit in it is not copied.

    Raises:
        LookupError: an edit cannot be put back.
    """
    visitor = _Visitor(edits)
    edited = visitor.visit(value)
    if visitor.edited.keys() != edits.keys():
        raise LookupError("keys of a dict cannot be rewritten")
    if visitor.has_cycle:
        raise LookupError("a value that holds itself cannot be rewritten")
    return edited


class _Visitor:
    """Walk through a value, which reads its parts and puts the edits to them back."""

    def __init__(self, edits: Edits) -> None:
        self._edits = edits
        self._parts: list[Part] = []
        self.places: list[tuple[Hashable, ...]] = []
        """Of each part that was visited, the place."""
        self.keys: dict[Part, None] = {}
        """Parts that are keys, or in them."""
        self._place: tuple[Hashable, ...] = ()
        self._visited: dict[int, tuple[Any, Any]] = {}  # each container, which is entered once, and its copy
        self.edited: dict[str, None] = {}
        """Pointers of the edits that were put back."""
        self.has_cycle = False

    def all_parts(self) -> tuple[Part, ...]:
        """Return the parts that were visited, and the keys."""
        return (*self._parts, *self.keys)

    def visit(self, value: Any, depth: int = 0) -> Any:
        """Read the parts of a value. Returns it with the edits."""
        if isinstance(value, str):
            return self._visit_text(value) if value else value
        if isinstance(value, _TEXTLESS):
            return value
        if depth > _MAX_DEPTH or not _is_container(value):
            self._append(unknown_part(type(value).__name__))
            return value
        _, edited = self._visited.get(id(value), (None, None))
        if edited is _UNFINISHED:
            self.has_cycle = True
            return value
        if edited is None:
            self._visited[id(value)] = value, _UNFINISHED
            edited = self._visit_container(value, depth + 1)
            self._visited[id(value)] = value, edited
        return edited

    def _visit_text(self, text: str) -> str:
        pointer = f"/output/0/parts/{len(self._parts)}"
        self._append(Text(text))
        if pointer not in self._edits:
            return text
        self.edited[pointer] = None
        return self._edits[pointer]

    def _append(self, part: Part) -> None:
        self._parts.append(part)
        self.places.append(self._place)

    def _visit_at(self, step: Hashable, value: Any, depth: int) -> Any:
        place, self._place = self._place, (*self._place, step)
        try:
            return self.visit(value, depth)
        finally:
            self._place = place

    def _visit_container(self, value: Any, depth: int) -> Any:
        if isinstance(value, (list, tuple)):
            items = [self._visit_at(position, item, depth) for position, item in enumerate(value)]
            has_changed = any(new is not old for new, old in zip(items, value, strict=True))
            return _with_items(value, items) if has_changed else value
        fields = _fields_of(value)
        if isinstance(value, Mapping):
            self._take_keys(fields)
        elif extra := getattr(value, "__pydantic_extra__", None):
            self._take_keys(extra)
        changes = {}
        for key, old in fields.items():
            new = self._visit_at(key, old, depth)
            if new is not old:
                changes[key] = new
        return _with_fields(value, changes) if changes else value

    def _take_keys(self, keys: Iterable[Any]) -> None:
        for key in keys:
            self.keys.update(dict.fromkeys(read_parts(key)))


def _is_container(value: Any) -> bool:
    return isinstance(value, (list, tuple, dict)) or _is_dataclass(value) or _is_pydantic(value)


def _is_dataclass(value: Any) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _is_pydantic(value: Any) -> bool:
    return hasattr(type(value), "model_fields") and hasattr(value, "model_fields_set")


def _fields_of(value: Any) -> Mapping[Any, Any]:
    if _is_dataclass(value):
        return {each.name: getattr(value, each.name, None) for each in dataclasses.fields(value)}
    return as_mapping(value)


def _with_items(value: Any, items: list[Any]) -> Any:
    if isinstance(value, list):
        edited = copy.copy(value)
        edited[:] = items
        return edited
    if hasattr(value, "_make"):  # a named tuple
        return value._make(items)
    if type(value) is not tuple:
        raise LookupError(f"a {type(value).__name__} cannot be rewritten")
    return tuple(items)


def _with_fields(value: Any, changes: Mapping[Any, Any]) -> Any:
    if not isinstance(value, dict) and not _is_dataclass(value):
        return copy_with(value, **changes)
    edited = copy.copy(value)
    if isinstance(value, dict):
        edited.update(changes)
    else:
        for name, new in changes.items():
            object.__setattr__(edited, name, new)  # it may be frozen
    return edited
