"""Reader and editor of what model functions take and return: dicts, lists, tuples and objects with fields.

Each text is a part of its own, in the order of the value; then follow the keys of the dicts, since a model may have
chosen them. Fields that pydantic computes and attributes that an object has besides its items or fields are read as
well. Each part has a place, by which the pieces of a streamed value are put together. Numbers, dates and the
like have no text. For anything else an `specspan.call.Unknown` part stands, by the name of its type.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import enum
import numbers
import uuid
from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from typing import Any

from specspan._support.interruption import raise_interruption
from specspan.call import Part, Text
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.fields import as_mapping, copy_with, unknown_part

_MAX_DEPTH = 100
_TEXTLESS = (numbers.Number, dt.date, dt.time, dt.timedelta, uuid.UUID, type(None))
_PLAIN = frozenset((str, list, tuple, dict))
_UNFINISHED: Any = object()
_KEYS = "keys"


def read_parts(value: Any) -> tuple[Part, ...]:
    """Return the parts of an answer that is any value."""
    if type(value) is str:
        return (Text(value),) if value else ()
    visitor = _Visitor({})
    visitor.visit(value)
    return visitor.all_parts()


def read_places(value: Any) -> tuple[tuple[Hashable, Part], ...]:
    """Return the parts of a value with the place of each: the keys, fields and positions that lead to it."""
    if type(value) is str:
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
            edited = self._visit_text(value) if value else value
            return edited if type(value) is str else self._visit_attributes(value, edited, depth + 1)
        if isinstance(value, _TEXTLESS) and not _has_attributes(value):
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
            return self._visit_attributes(value, _with_items(value, items) if has_changed else value, depth)
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
        edited = self._visit_attributes(value, _with_fields(value, changes) if changes else value, depth, fields)
        return self._visit_computed(value, edited, depth)

    def _visit_attributes(self, value: Any, edited: Any, depth: int, fields: Container[str] = ()) -> Any:
        """Read what an object has besides its items or ``fields``. Returns ``edited``, its copy, with those edits.

        What is private and no text is the object's own affair.
        """
        changes = {}
        for name, old in _attributes_of(value):
            if name in fields or not (isinstance(old, str) or _is_container(old) or not name.startswith("_")):
                continue
            new = self._visit_at(name, old, depth)
            if new is not old:
                changes[name] = new
        if not changes or (edited is not value and isinstance(value, str)):  # then the attributes are gone
            return edited
        if isinstance(value, (str, tuple)) or _is_pydantic(value):
            raise LookupError(f"attributes of a {type(value).__name__} cannot be rewritten")
        return _with_attributes(copy.copy(edited), changes)

    def _visit_computed(self, value: Any, edited: Any, depth: int) -> Any:
        """Read the fields that pydantic computes. They are not set: an edit must follow from those to other fields."""
        for name in getattr(type(value), "model_computed_fields", ()):
            old = _computed(value, name)
            new = self._visit_at(name, old, depth)
            if new is not old and _computed(edited, name) != new:
                raise LookupError(f"the computed field {name!r} cannot be rewritten")
        return edited

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
    if not isinstance(value, dict):
        return _with_attributes(edited, changes)
    edited.update(changes)
    return edited


def _has_attributes(value: Any) -> bool:
    """Return whether an object that has no text itself may have one in its attributes."""
    return not isinstance(value, enum.Enum) and bool(getattr(value, "__dict__", None))


def _attributes_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object whose class is not one of Python's own."""
    if type(value) in _PLAIN or isinstance(value, enum.Enum):
        return
    yield from (getattr(value, "__pydantic_private__", None) or {}).items()
    if not _is_pydantic(value):
        yield from dict(getattr(value, "__dict__", ())).items()
        for name in (name for base in type(value).__mro__ for name in _slots_of(base)):
            if hasattr(value, name):
                yield name, getattr(value, name)


def _computed(value: Any, name: str) -> Any:
    """Return a computed field; None where it raises, as it does for whoever else asks."""
    try:
        return getattr(value, name)
    except Exception as error:
        raise_interruption(error)
        return None


def _slots_of(base: type) -> tuple[str, ...]:
    slots = vars(base).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(name for name in slots if not name.startswith("__"))


def _with_attributes(copied: Any, changes: Mapping[Any, Any]) -> Any:
    """Return a copy with other attributes; it may be frozen."""
    for name, new in changes.items():
        object.__setattr__(copied, name, new)
    return copied
