"""What may be any Python value, as text that SQLite and its JSON functions take."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

_INT64 = 2**63


def encode(value: Any) -> str:
    """JSON of any value, on one line. What JSON has no form for becomes a string: NaN, infinities, bytes (base64)."""
    try:
        return storable(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain))
    except ValueError:
        return json.dumps(_finite(value), separators=(",", ":"), default=_plain)


def storable(text: str) -> str:
    """``text`` as it is, or with lone surrogates replaced where there are any: UTF-8 has none."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def optional(value: Any) -> str | None:
    """A text column: None stays None, and what is no string becomes one."""
    return None if value is None else storable(str(value))


def integer(value: Any) -> int:
    """A column of whole numbers: 0 for what is none, or needs more than 64 bits."""
    return value if isinstance(value, int) and -_INT64 <= value < _INT64 else 0


def real(value: Any) -> float | None:
    """A column of real numbers: None for what is none, or too large for one."""
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


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
