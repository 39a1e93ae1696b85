"""Bounded caches forget the oldest entry first, and never take one object for another."""

from __future__ import annotations

import pickle

import pytest

from specspan._support.caches import BoundedCache, IdentityCache


def test_a_full_cache_forgets_its_oldest_entry() -> None:
    """Past its size the entry that was set first is gone, and the others stay."""
    cache: BoundedCache[str, int] = BoundedCache(2)
    for number, key in enumerate("abc"):
        cache[key] = number
    assert dict(cache) == {"b": 1, "c": 2}


def test_equal_objects_are_told_apart() -> None:
    """Lists that are equal, and cannot be hashed, have each their own value."""
    cache: IdentityCache[list[int], str] = IdentityCache(8)
    one, other = [1], [1]
    assert cache.put(one, "one") == "one"
    assert (cache.get(one), cache.get(other)) == ("one", None)


def test_no_other_object_gets_the_identity_of_a_kept_one() -> None:
    """Objects that nobody else holds are held by the cache, so that a new one at their address cannot be theirs."""
    cache: IdentityCache[object, int] = IdentityCache(1_000)
    for number in range(1_000):
        kept = object()
        assert cache.get(kept) is None
        cache.put(kept, number)
    assert len(cache) == 1_000


def test_an_identity_cache_is_bounded() -> None:
    """Past its size it starts again from empty."""
    cache: IdentityCache[object, int] = IdentityCache(2)
    objects = [object() for _ in range(3)]
    for number, each in enumerate(objects):
        cache.put(each, number)
    assert [cache.get(each) for each in objects] == [None, None, 2]


def test_a_cache_is_not_pickled() -> None:
    """Pickling one is refused: what this process made means nothing in another."""
    with pytest.raises(TypeError, match="not copied or pickled"):
        pickle.dumps(BoundedCache[str, int](2))
