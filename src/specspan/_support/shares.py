"""Shares as configuration files write them, such as ``99.9%`` or ``0.999``."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

_PERCENTAGE = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%")


def parse_share(value: Any) -> float | None:
    """Return the number of a text such as ``99.9%``, or a number itself; None for anything else."""
    match = _PERCENTAGE.fullmatch(value) if isinstance(value, str) else None
    if match:
        return float(Decimal(match[1]) / 100)
    return None if isinstance(value, bool) or not isinstance(value, (int, float)) else float(value)
