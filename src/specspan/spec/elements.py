"""The elements inside a message of an example, found again in its text: ``untrusted`` text, ``settings``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

from specspan.spec.model import Turn

Piece: TypeAlias = tuple[str, Turn | None]
"""A stretch of a message's text, and the element it is the inside of; None for the message's own words."""


def pieces(turn: Turn) -> Iterator[Piece]:
    """A message's text from its beginning to its end, without the tags of the elements in it."""
    rest = turn.content
    for inner in turn.inner:
        opening, close = _opening(inner, rest), f"</{inner.role}>"
        end = -1 if opening is None else rest.find(close, opening.end())
        if opening is None or end < 0:
            break  # the element is not in the content as it would be written
        yield rest[: opening.start()], None
        yield rest[opening.end() : end], inner
        rest = rest[end + len(close) :]
    yield rest, None


def _opening(inner: Turn, text: str) -> re.Match[str] | None:
    """The tag of an element as it stands in a message's text, where entities are decoded already."""
    attributes = "".join(rf"\s+{re.escape(name)}=\"{re.escape(value)}\"" for name, value in inner.attributes.items())
    return re.search(rf"<{re.escape(inner.role)}{attributes}\s*>", text)
