"""Durations as configuration files write them, such as ``500ms`` or ``2s``."""

from __future__ import annotations

import re
from typing import Any

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m)")


def parse_seconds(value: Any) -> float | None:
    """Return the seconds of a text such as ``500ms``; None for zero and for anything that is not a duration."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    return float(match[1]) * _UNITS[match[2]] or None if match else None
