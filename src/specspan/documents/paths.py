"""Where a value stands in a structured file, and how a problem names that place."""

from __future__ import annotations

import re
from typing import TypeAlias

PathTo: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top."""


def key_of(path: PathTo) -> str | None:
    """A path as a problem names it, such as ``clauses.protect_privacy.checks[0]``; None for the top."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_plain(step)}" for step in path)
    return "".join(steps).removeprefix(".") or None


def _plain(key: str) -> str:
    """A key that could be mistaken for something else, or that would reach the terminal as a command, in quotes."""
    return key if re.fullmatch(r"[\w-]{1,99}\+?", key) else repr(key[:100])
