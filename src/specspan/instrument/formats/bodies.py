"""JSON request and response bodies: their messages, and copies with other texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from specspan.call import Message, Part
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.fields import ReplaceText, copy_with, replace_part

JsonPath: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the outermost object inwards."""
EditablePart: TypeAlias = tuple[Part, ReplaceText | None]
"""A part, and the function that replaces its text in the whole body; None where that is impossible."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a body, its parts with the functions that replace their texts."""

    role: str
    parts: tuple[EditablePart, ...]

    def to_message(self, finish_reason: str | None = None) -> Message:
        """Return the message without the functions that edit it."""
        return Message(self.role, parts_only(self.parts), None, finish_reason)


def parts_only(places: Iterable[EditablePart]) -> tuple[Part, ...]:
    """Return the parts without the functions that edit them."""
    return tuple([part for part, _ in places])


def replace_at(*path: str | int) -> ReplaceText:
    """Return a function that puts a text at the end of ``path``."""
    return partial(_copy_with_value, path)


def replace_block_at(*path: str | int) -> ReplaceText:
    """Return a function that puts a text block at the end of ``path``, for a value that is not a text itself."""
    return lambda body, text: _copy_with_value(path, body, {"text": text})


def replace_value(body: Any, path: JsonPath, value: Any) -> Any:
    """Return a copy of ``body`` with another value at the end of ``path``."""
    return _copy_with_value(path, body, value)


def _copy_with_value(path: JsonPath, body: Any, value: Any) -> Any:
    """Return a copy of ``body`` with ``value`` at the end of ``path``."""
    key, rest = path[0], path[1:]
    if not isinstance(body, (Mapping, list, tuple)):  # a client's object
        return copy_with(body, **{str(key): _copy_with_value(rest, getattr(body, str(key)), value) if rest else value})
    copied: Any = dict(body) if isinstance(body, Mapping) else list(body)
    copied[key] = _copy_with_value(rest, copied[key], value) if rest else value
    return copied


def edit_turns(body: Any, turns: Iterable[Turn], side: str, edits: Edits) -> Any:
    """Return a copy of ``body`` with the texts that ``edits`` has for the messages on one ``side`` of the call."""
    for i, turn in enumerate(turns):
        body = edit_parts(body, turn.parts, f"/{side}/{i}/parts/", edits)
    return body


def edit_parts(body: Any, places: Iterable[EditablePart], prefix: str, edits: Edits) -> Any:
    """Return a copy of ``body`` with the texts that ``edits`` has for pointers starting with ``prefix``."""
    for number, (_, replace) in enumerate(places):
        body = replace_part(body, replace, edits.get(f"{prefix}{number}"))
    return body
