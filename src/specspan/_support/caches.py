"""Bounded caches: by key, and by the identity of objects that are slow to hash or cannot be hashed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
V = TypeVar("V")


class BoundedCache(OrderedDict[K, V]):
    """Mapping of at most ``max_size`` entries, in which a new entry takes the place of the oldest.

    Any thread may use it; reading costs what it costs of a `dict`.
    """

    def __init__(self, max_size: int) -> None:
        super().__init__()
        self._max_size = max_size

    def __setitem__(self, key: K, value: V) -> None:
        """Set an entry, which is now the newest."""
        super().__setitem__(key, value)
        while len(self) > self._max_size:
            self.popitem(last=False)

    def __reduce__(self) -> Any:
        raise TypeError("a cache holds what this process made: it is not copied or pickled")


class IdentityCache(Generic[T, V]):
    """Values kept for at most ``max_size`` objects, which are told apart by identity.

    An object is held as long as its value is, so no other object gets its ``id`` meanwhile. A full cache starts again
    from empty, which a plain `dict` can do: it is read faster, and one record may read it a hundred times.
    """

    __slots__ = ("_entries", "_max_size")

    def __init__(self, max_size: int) -> None:
        self._entries: dict[int, tuple[T, V]] = {}
        self._max_size = max_size

    def get(self, obj: T) -> V | None:
        """Return the value kept for ``obj``; None where there is none."""
        entry = self._entries.get(id(obj))
        return None if entry is None else entry[1]

    def put(self, obj: T, value: V) -> V:
        """Keep ``value`` for ``obj``, and return it."""
        if len(self._entries) >= self._max_size:
            self._entries.clear()
        self._entries[id(obj)] = obj, value
        return value

    def __len__(self) -> int:
        return len(self._entries)
