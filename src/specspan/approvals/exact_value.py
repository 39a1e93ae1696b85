"""Arguments of any type as JSON from which no two of them look alike, for the digest of what is approved. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from specspan.ledger.canonical_json import MAX_EXACT, canonical_json

_MAX_DEPTH = 20
"""Depth from which on values are told by their ``repr``; canonical JSON takes 64, up to three for each of these."""
_TYPED = "specspan:typed"
"""First member of a list that stands for a value which JSON does not have."""


def exact_value(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON from which it can be told apart from every other value.

    What JSON does not have becomes a list that begins with a marker, with the type and what it holds; a list that
    begins so itself does too. A sequence of any type is a list.
    """
    if _is_of_json(value):
        return value
    if isinstance(value, str) and not isinstance(value, Enum):
        return [_TYPED, "str", ascii(value)]
    if depth >= _MAX_DEPTH:
        return _typed(value, repr(value))
    if isinstance(value, Mapping):
        return _exact_mapping(value, depth + 1)
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        listed = [exact_value(each, depth + 1) for each in value]
        return _typed(value, listed) if listed[:1] == [_TYPED] else listed
    return _typed(value, _content(value, depth + 1))


def members_of(value: Any) -> dict[str, Any]:
    """Return the members of an instance of a dataclass by name."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _is_of_json(value: Any) -> bool:
    if value is None or value.__class__ is bool:
        return True
    if value.__class__ is int:
        return abs(value) <= MAX_EXACT
    if value.__class__ is float:
        return math.isfinite(value)
    return value.__class__ is str and _is_unicode(value)


def _content(value: Any, depth: int) -> Any:
    """Return what a value holds that is neither of JSON nor a container of JSON's."""
    if isinstance(value, (set, frozenset)):
        return sorted((exact_value(each, depth) for each in value), key=_sort_key)
    if is_dataclass(value) and not isinstance(value, type):
        return exact_value(members_of(value), depth)
    own_repr: Any = type(value).__repr__
    if own_repr is object.__repr__ and hasattr(value, "__dict__"):  # its repr is an address in memory
        return exact_value(vars(value), depth)
    return repr(value)


def _exact_mapping(value: Mapping[Any, Any], depth: int) -> Any:
    if all(key.__class__ is str and _is_unicode(key) for key in value):
        return {key: exact_value(each, depth) for key, each in value.items()}
    pairs = [[exact_value(key, depth), exact_value(each, depth)] for key, each in value.items()]
    return [_TYPED, "mapping", sorted(pairs, key=_sort_key)]


def _typed(value: Any, content: Any) -> list[Any]:
    return [_TYPED, f"{type(value).__module__}.{type(value).__qualname__}", content]


def _sort_key(value: Any) -> bytes:
    return canonical_json({"": value})


def _is_unicode(text: str) -> bool:
    """Return whether a text has no lone surrogates, which canonical JSON replaces."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
