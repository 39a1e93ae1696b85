"""What an unquoted word of a YAML file means: the core schema of YAML 1.2, and no more.

https://yaml.org/spec/1.2.2/#103-core-schema. PyYAML itself follows YAML 1.1, where ``no`` and ``on`` are booleans,
``1:30`` is ninety and ``2027-01-01`` a date; here they stay the words they look like.
"""

from __future__ import annotations

import math
import re

_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MAX_DIGITS = 100
"""Longer ones are kept as text: no field takes such a number, and reading one takes time."""


def resolve(text: str) -> str | bool | int | float | None:
    """The value of a plain scalar. Infinities and NaN stay text: JSON has no such numbers."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text
