"""Parts of a streamed message, told apart by their index and by their start."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter
from typing import Any, Generic, TypeVar

from specspan.instrument.formats.fields import count_not_understood

P = TypeVar("P")


class IndexedParts(Generic[P]):
    """Parts of a streamed message by the index that the service gives them.

    A part that starts at a used index is another part. A part that starts without an index comes after all others, and
    a piece without an index belongs to the part that started last.
    """

    __slots__ = ("_last_index", "_parts", "by_index")

    def __init__(self) -> None:
        self.by_index: dict[int, P] = {}
        """Newest part at each index."""
        self._parts: list[tuple[int, P]] = []
        self._last_index = 0

    def __bool__(self) -> bool:
        return bool(self._parts)

    def __iter__(self) -> Iterator[P]:
        """Yield the parts in the order of their indexes, and at one index in the order of their starts."""
        return (part for _, part in sorted(self._parts, key=itemgetter(0)))

    def start(self, index: Any, part: P) -> P:
        """Add a part that starts at an index."""
        number = _as_index(index)
        if number is None:
            number = max(self.by_index, default=-1) + 1
        self.by_index[number] = part
        self._parts.append((number, part))
        self._last_index = number
        return part

    def find(self, index: Any) -> P | None:
        """Return the part that a piece at an index belongs to, or None if none started there."""
        number = _as_index(index)
        return self.by_index.get(self._last_index if number is None else number)

    def last(self) -> P | None:
        """Return the part that started last."""
        return self.by_index.get(self._last_index)


def _as_index(value: Any) -> int | None:
    if value.__class__ is int:
        number: int = value
        return number
    if value.__class__ is float and value.is_integer():
        return int(value)
    count_not_understood()
    return None
