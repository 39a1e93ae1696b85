"""Sets of code points as sorted ranges, and the character classes of the running Python.

Modules use the functions as ``charset.union(...)``.
"""

from __future__ import annotations

import array
import functools
import re
import sys
from collections.abc import Iterable
from typing import TypeAlias

CharSet: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges of code points, both ends included, sorted, with a gap between any two."""

MAX = 0x10FFFF
EMPTY: CharSet = ()
EVERY: CharSet = ((0, MAX),)
ASCII: CharSet = ((0, 0x7F),)
NEWLINE: CharSet = ((10, 10),)


def union(*sets: Iterable[tuple[int, int]]) -> CharSet:
    """Return the code points of all ``sets``, whose ranges may come in any order and overlap."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(each for ranges in sets for each in ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(charset: CharSet) -> CharSet:
    """Return the code points that are not in ``charset``."""
    starts = [0, *(high + 1 for _, high in charset)]
    ends = [*(low - 1 for low, _ in charset), MAX]
    return tuple((start, end) for start, end in zip(starts, ends, strict=True) if start <= end)


def intersection(one: CharSet, other: CharSet) -> CharSet:
    """Return the code points that are in both sets."""
    return complement(union(complement(one), complement(other)))


def difference(one: CharSet, other: CharSet) -> CharSet:
    """Return the code points of ``one`` that are not in ``other``."""
    return intersection(one, complement(other))


def simplify(charset: CharSet, optional: CharSet) -> CharSet:
    """Return ``charset`` with or without the code points of ``optional`` added, whichever has fewer ranges."""
    widened = union(charset, optional)
    return min(charset, widened, key=len)


def size(charset: CharSet) -> int:
    """Return the number of code points."""
    return sum(high - low + 1 for low, high in charset)


def category(letter: str, *, ascii_only: bool = False) -> CharSet:
    r"""Return the characters of ``\w``, ``\d`` or ``\s`` in the running Python, for ``w``, ``d`` or ``s``."""
    return _categories(re.ASCII if ascii_only else re.UNICODE)[letter]


@functools.cache
def _categories(flag: re.RegexFlag) -> dict[str, CharSet]:
    alphabet = array.array("I", range(MAX + 1)).tobytes().decode(f"utf-32-{sys.byteorder[0]}e", "surrogatepass")
    return {
        letter: tuple((run.start(), run.end() - 1) for run in re.finditer(rf"\{letter}+", alphabet, flag))
        for letter in "wds"
    }


def in_any_case(charset: CharSet, pattern: str, flags: re.RegexFlag) -> CharSet:
    """Return the characters that match ``charset`` under IGNORECASE; ``pattern`` is the same set as a class for `re`.

    `re` itself decides, one character at a time, so that its special cases hold here. Only characters that have cases
    are tried; the others match themselves alone.
    """
    matched = re.findall(pattern, _text_of_cased(), flags)
    return union(difference(charset, cased()), _points(matched))


@functools.cache
def cased() -> CharSet:
    """Return the characters that have another case, or are the other case of one."""
    return _points(_text_of_cased())


@functools.cache
def _text_of_cased() -> str:
    below = map(chr, range(0x20000))  # no script above has cases; a test looks at all of them
    kin = "".join(f"{c}{c.lower()}{c.upper()}{c.casefold()}" for c in below if c.lower() != c or c.upper() != c)
    return "".join(sorted(set(kin)))


def _points(characters: Iterable[str]) -> CharSet:
    return union((ord(character), ord(character)) for character in characters)
