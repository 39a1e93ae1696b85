"""Chunks of a stream with other texts in them, of whatever kind they are.

The place of a text in a chunk is looked for by its value, and a place is right if the adapter then reads the new text
where it read the old one. So no adapter says twice where its texts stand, and nothing else of a chunk is changed.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

Place: TypeAlias = tuple[Any, ...]
"""Names and positions that lead to a text."""
ReadTexts: TypeAlias = Callable[[Any], Sequence[str]]
"""Returns the texts of a chunk, in order."""

_MAX_DEPTH = 32
_LABELS = frozenset(("id", "type", "role", "object", "model", "status", "event", "event_type"))
"""Fields with no words of a model, in which a text may stand by chance."""


def edit_chunk(chunk: Any, changes: Iterable[tuple[str, str]], read: ReadTexts) -> Any:
    """Return a chunk with other texts.

    Args:
        chunk: the chunk, which is not changed.
        changes: texts of it, each with the text that takes its place.
        read: reads the texts of a chunk.

    Raises:
        LookupError: a text stands nowhere, or not where its adapter reads it.
    """
    for old, new in changes:
        if old != new:
            chunk = _replace_text(chunk, old, new, read)
    return chunk


def _replace_text(chunk: Any, old: str, new: str, read: ReadTexts) -> Any:
    before = list(read(chunk))
    places = [place for place, text in texts_of(chunk) if text == old]
    if old not in before:  # it came as the end of a text that is there as a whole
        places = [place for place, text in texts_of(chunk) if old in text]
        if not places:
            raise LookupError("the text of a chunk is not where it is read")
        return with_texts(chunk, {place: _with_last(text, old, new) for place, text in texts_of(chunk) if old in text})
    position = before.index(old)
    expected = [*before[:position], *([new] if new else []), *before[position + 1 :]]
    for wanted in (*([place] for place in places), places):
        edited = with_texts(chunk, dict.fromkeys(wanted, new))
        if [text for text in read(edited) if text] == [text for text in expected if text]:
            return edited
    raise LookupError("the text of a chunk cannot be replaced")


def _with_last(text: str, old: str, new: str) -> str:
    before, _, after = text.rpartition(old)
    return f"{before}{new}{after}"


def replace_repeated(chunk: Any, texts: Mapping[str, str]) -> Any:
    """Return a chunk in which whole texts that came before, and that it repeats, are replaced as well."""
    changes: dict[Place, str] = {}
    for place, text in texts_of(chunk):
        new = text
        for old, edited in texts.items():
            new = new.replace(old, edited)
        if new != text:
            changes[place] = new
    return with_texts(chunk, changes) if changes else chunk


def longest_text(chunk: Any) -> int:
    """Return the number of characters of the longest text in a chunk."""
    return max((len(text) for _, text in texts_of(chunk)), default=0)


def texts_of(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield each text in a value, but for labels, with its place; bytes are read as the JSON that they are."""
    if isinstance(value, str):
        if not place or place[-1] not in _LABELS:
            yield place, value
        return
    if len(place) > _MAX_DEPTH:
        return
    for name, each in _items(value):
        yield from texts_of(each, (*place, name))


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, (bytes, bytearray)):
        loaded = _loaded(value)
        return () if loaded is None else (("", loaded),)
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, (list, tuple)):
        return list(enumerate(value))
    fields = getattr(value, "__dict__", None)
    if not isinstance(fields, dict) or isinstance(value, type):
        return ()
    return [*fields.items(), *(getattr(value, "__pydantic_extra__", None) or {}).items()]


def _loaded(value: bytes | bytearray) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None


def with_texts(value: Any, changes: Mapping[Place, str]) -> Any:
    """Return a value with other texts at some places; all else is the same object."""
    if not changes:
        return value
    if () in changes:
        return changes[()]
    inner: dict[Any, dict[Place, str]] = {}
    for (name, *rest), text in changes.items():
        inner.setdefault(name, {})[tuple(rest)] = text
    new = {name: with_texts(each, inner[name]) for name, each in _items(value) if name in inner}
    if isinstance(value, (bytes, bytearray)):
        return json.dumps(new[""], separators=(",", ":")).encode()
    if isinstance(value, Mapping):
        return {**value, **new}
    if isinstance(value, (list, tuple)):
        items = [new.get(position, each) for position, each in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if hasattr(value, "model_copy"):
        return value.model_copy(update=new)
    twin = copy.copy(value)
    for name, each in new.items():
        object.__setattr__(twin, name, each)
    return twin
