"""How a message names things: in quotes, short, and with what somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any

_MAX_NAME = 100
"""Longer ones are not compared: nobody means them, and comparing takes time that grows with their square."""

_MAX_KNOWN = 5_000
"""Of more, the first are compared: a file may have a hundred names to look for, and each is held against all."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """The known names most like ``name``, the most alike first; none where nothing is alike."""
    if len(name) > _MAX_NAME:
        return []
    by_fold = {candidate.lower(): candidate for candidate in islice(known, _MAX_KNOWN)}
    return [by_fold[match] for match in get_close_matches(name.lower(), by_fold, n=n, cutoff=0.6)]


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy that asks for the nearest names, or says ``otherwise``."""
    close = nearest(name, known)
    return f"Did you mean {listed(close, 'or')}?" if close else otherwise


def listed(names: Iterable[str], word: str = "and") -> str:
    """Names in quotes as a sentence lists them: ``'a', 'b' or 'c'``."""
    quoted = [repr(name) for name in names]
    return f" {word} ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def shown(value: Any) -> str:
    """A value as a message shows it: short, in one line, nothing a terminal would obey."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"


def sentence(text: str) -> str:
    """A remedy in the form all of them have: a capital first, a stop at the end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
