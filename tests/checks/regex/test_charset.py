"""Sets of code points, and the characters Python counts to each class."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from specspan.checks.regex import charset

points = st.integers(0, 40) | st.integers(charset.MAX - 5, charset.MAX)
ranges = st.lists(st.tuples(points, points).map(lambda ends: (min(ends), max(ends))), max_size=6)
WINDOW = (*range(50), *range(charset.MAX - 10, charset.MAX + 1))


def members(found: charset.CharSet) -> set[int]:
    return {point for point in WINDOW if any(low <= point <= high for low, high in found)}


@given(ranges, ranges)
def test_sets_of_ranges_are_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    """Union, intersection, difference and complement are those of the points."""
    a, b = charset.union(one), charset.union(other)
    assert members(charset.union(a, b)) == members(a) | members(b)
    assert members(charset.intersection(a, b)) == members(a) & members(b)
    assert members(charset.difference(a, b)) == members(a) - members(b)
    assert members(charset.complement(a)) == set(WINDOW) - members(a)


@given(ranges)
def test_ranges_are_sorted_apart_and_as_few_as_can_be(one: list[tuple[int, int]]) -> None:
    """Equal sets are equal tuples."""
    found = charset.union(one)
    assert charset.complement(charset.complement(found)) == found
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(found))


def test_classes_are_those_of_this_python() -> None:
    r"""`\w`, `\d` and `\s` hold what `str` says of every character."""
    every = [chr(point) for point in range(sys.maxunicode + 1)]
    for letter, belongs in (("w", lambda c: c.isalnum() or c == "_"), ("d", str.isdecimal), ("s", str.isspace)):
        expected = points_of(c for c in every if belongs(c))
        assert charset.category(letter) == expected


def points_of(characters: Iterable[str]) -> charset.CharSet:
    return charset.union((ord(character), ord(character)) for character in characters)


def test_every_character_with_cases_is_known() -> None:
    """None lies where it is not looked for."""
    cased = (chr(point) for point in range(sys.maxunicode + 1))
    found = points_of(c for c in cased if c.lower() != c or c.upper() != c)
    assert charset.difference(found, charset.cased()) == charset.EMPTY


def test_any_case_is_what_re_takes_for_it() -> None:
    """Asked of `re` about each character of the planes that have cases."""
    every = "".join(map(chr, range(0x20000)))
    for characters in ("[k]", "[a-z]", "[ß]", "[À-ɏ]", r"[\W]", "[µ\U00010400]"):
        plain, expected = (points_of(re.findall(characters, every, flag)) for flag in (re.UNICODE, re.IGNORECASE))
        assert charset.in_any_case(plain, characters, re.IGNORECASE) == expected
