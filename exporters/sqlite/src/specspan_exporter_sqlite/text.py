"""Conversion of any Python value to text that SQLite and its JSON functions take."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

_INT64 = 2**63


def encode(value: Any) -> str:
    """Return JSON of any value, on one line. NaN, infinities and bytes (base64) become strings."""
    if not value and value.__class__ in _EMPTY:
        return _EMPTY[value.__class__]
    try:
        return storable(_ENCODER.encode(value))
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), default=_plain)


def storable(text: str) -> str:
    """Return ``text`` with lone surrogates replaced, which UTF-8 does not have."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def optional(value: Any) -> str | None:
    """Return the value of a text column: None stays None, any other value becomes a string."""
    return None if value is None else storable(str(value))


def integer(value: Any) -> int:
    """Return the value of an integer column: 0 for other types and for integers of more than 64 bits."""
    return value if isinstance(value, int) and -_INT64 <= value < _INT64 else 0


def real(value: Any) -> float | None:
    """Return the value of a real column: None for other types and for numbers that are too large."""
    try:
        return float(value) if isinstance(value, (int, float)) else None
    except OverflowError:
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(value).decode("ascii")
    return list(value) if isinstance(value, (Sequence, set, frozenset)) else str(value)


_EMPTY: Mapping[type, str] = {list: "[]", dict: "{}"}
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
