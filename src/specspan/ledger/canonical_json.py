"""Canonical JSON of RFC 8785: one value has one sequence of bytes, so that its hash can be computed again. Pure.

Python's own encoder writes the canonical form of most records. Where a number or a key may need another, the record
is written by `_write`: four times slower, and needed for fractions and texts beyond ASCII only.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Final

import re2

MAX_EXACT: Final = 2**53 - 1
"""Largest integer that every reader of JSON holds exactly; larger ones are written as strings, as OTLP's JSON does."""
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_MAY_DIFFER = re2.compile(r"(?:\":|[\[,])-?(?:\d+[.e]|\d{16})")
"""Numbers that Python writes otherwise than ECMAScript. Strings may match, too, which costs time only."""
_MAX_DEPTH = 64


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """Return a mapping as canonical JSON.

    What JSON cannot say is made a string: integers beyond 2**53 - 1, NaN and infinity. A lone surrogate becomes ``?``.

    Raises:
        TypeError: a value is none of JSON's, or nested deeper than 64 levels.
    """
    try:
        text = _encode(value)
    except ValueError:  # NaN, infinity, or a circle
        text = None
    if text is not None and text.isascii():
        data = text.encode()
        if _MAY_DIFFER.search(data) is None:
            return data
    return _write(value, 0).encode("utf-8", "replace")


def _write(value: Any, depth: int) -> str:
    if depth > _MAX_DEPTH:
        raise TypeError(f"a record is nested deeper than {_MAX_DEPTH} levels")
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return str(int(value)) if abs(value) <= MAX_EXACT else f'"{int(value)}"'
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        members = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(f"{encode_basestring(key)}:{_write(each, depth + 1)}" for key, each in members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_write(each, depth + 1) for each in value) + "]"
    raise TypeError(f"{type(value).__name__} is not a type of JSON")


def _number(value: float) -> str:
    """Return a number as ECMAScript writes it (RFC 8785, 3.2.2.3): the digits are those of Python's ``repr``."""
    if not math.isfinite(value):
        return f'"{value}"'
    if value == 0:
        return "0"
    text = repr(value)
    if 1e-6 <= abs(value) < 1e21:
        text = format(Decimal(text), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    digits, _, exponent = text.partition("e")
    return f"{digits.removesuffix('.0')}e{int(exponent):+d}"
