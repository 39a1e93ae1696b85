"""Texts cut into pieces, and bodies in which one value has another shape than it should have."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

texts = st.text("ab \u00e9", max_size=12)


def cuts(draw: st.DrawFn, text: str) -> list[str]:
    """Return a text in pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


ODD_VALUES: tuple[Any, ...] = (None, "", "x", [], ["x"], [None], {}, {"text": "x"}, 0, 28.0, True)


def replaced(value: Any) -> Iterator[Any]:
    """Yield copies of a value with one value in it replaced by an odd one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        for other in (*ODD_VALUES, *replaced(inner)):
            copied = copy.copy(value)
            copied[key] = other
            yield copied
