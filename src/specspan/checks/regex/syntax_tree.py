"""A pattern as a tree of five kinds of node, its flags already worked into it."""

from __future__ import annotations

import array
import functools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

# MERGED charset: Sets of code points as sorted ranges, and the classes of characters as the running Python has them.


CharSet: TypeAlias = tuple[tuple[int, int], ...]
"""Ranges of code points, both ends included, sorted, with a gap between any two."""

MAX = 0x10FFFF
EMPTY: CharSet = ()
EVERY: CharSet = ((0, MAX),)
ASCII: CharSet = ((0, 0x7F),)
NEWLINE: CharSet = ((10, 10),)


def union(*sets: Iterable[tuple[int, int]]) -> CharSet:
    """Every code point of any of ``sets``, whose ranges may come in any order and overlap."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(each for ranges in sets for each in ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def complement(charset: CharSet) -> CharSet:
    """Every code point that is not in ``charset``."""
    starts = [0, *(high + 1 for _, high in charset)]
    ends = [*(low - 1 for low, _ in charset), MAX]
    return tuple((start, end) for start, end in zip(starts, ends, strict=True) if start <= end)


def intersection(one: CharSet, other: CharSet) -> CharSet:
    """Every code point of both."""
    return complement(union(complement(one), complement(other)))


def difference(one: CharSet, other: CharSet) -> CharSet:
    """Every code point of ``one`` that is not in ``other``."""
    return intersection(one, complement(other))


def simplest(charset: CharSet, either_way: CharSet) -> CharSet:
    """``charset``, or it with ``either_way`` added, whichever has fewer ranges."""
    widened = union(charset, either_way)
    return min(charset, widened, key=len)


def size(charset: CharSet) -> int:
    """How many code points are in it."""
    return sum(high - low + 1 for low, high in charset)


def category(letter: str, *, ascii_only: bool = False) -> CharSet:
    r"""``w``, ``d`` or ``s``: the characters of ``\w``, ``\d`` or ``\s``, as the running Python has them."""
    return _categories(re.ASCII if ascii_only else re.UNICODE)[letter]


@functools.cache
def _categories(flag: re.RegexFlag) -> dict[str, CharSet]:
    alphabet = array.array("I", range(MAX + 1)).tobytes().decode(f"utf-32-{sys.byteorder[0]}e", "surrogatepass")
    return {
        letter: tuple((run.start(), run.end() - 1) for run in re.finditer(rf"\{letter}+", alphabet, flag))
        for letter in "wds"
    }


def in_any_case(charset: CharSet, characters: str, flags: re.RegexFlag) -> CharSet:
    """``charset``, written as the class ``characters`` in `re`'s own syntax, under IGNORECASE.

    `re` itself is asked, with one character at a time, so its special cases are ours. Only characters that have cases
    are asked about; the others stand for themselves.
    """
    matched = re.findall(characters, _with_cases(), flags)
    return union(difference(charset, with_cases()), _points(matched))


@functools.cache
def with_cases() -> CharSet:
    """Every character that has another case, or is one."""
    return _points(_with_cases())


@functools.cache
def _with_cases() -> str:
    below = map(chr, range(0x20000))  # no script above has cases; a test looks at all of them
    kin = "".join(f"{c}{c.lower()}{c.upper()}{c.casefold()}" for c in below if c.lower() != c or c.upper() != c)
    return "".join(sorted(set(kin)))


def _points(characters: Iterable[str]) -> CharSet:
    return union((ord(character), ord(character)) for character in characters)


class Place(Enum):
    """What a node without width asks of the place it stands at."""

    START = r"\A"
    LINE_START = "(?m)^"
    END = r"\Z"
    END_OR_LAST_NEWLINE = "$"
    LINE_END = "(?m)$"
    BOUNDARY = r"\b"
    NOT_BOUNDARY = r"\B"


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set."""

    charset: CharSet


@dataclass(frozen=True, slots=True)
class At:
    """Nothing, at such a place."""

    place: Place


@dataclass(frozen=True, slots=True)
class Concatenation:
    """One after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of these, the first that fits."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same again."""

    item: Node
    least: int
    most: int | None
    """None for no end."""
    greedy: bool


Node: TypeAlias = Chars | At | Concatenation | Choice | Repeat


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right inside ``node``."""
    match node:
        case Concatenation(items):
            return items
        case Choice(options):
            return options
        case Repeat(item):
            return (item,)
        case _:
            return ()


def depth(node: Node) -> int:
    """How many nodes stand around one another at most."""
    return 1 + max(map(depth, children(node)), default=0)


def places(node: Node) -> Iterator[Place]:
    """Every place that ``node`` asks for, anywhere in it."""
    if isinstance(node, At):
        yield node.place
    for child in children(node):
        yield from places(child)


def charsets(node: Node) -> Iterator[CharSet]:
    """Every set of characters in ``node``."""
    if isinstance(node, Chars):
        yield node.charset
    for child in children(node):
        yield from charsets(child)


def with_place(node: Node, old: Place, new: Place) -> Node:
    """``node`` with one kind of place asked for instead of another."""
    match node:
        case At(place):
            return At(new) if place is old else node
        case Concatenation(items):
            return Concatenation(tuple(with_place(item, old, new) for item in items))
        case Choice(options):
            return Choice(tuple(with_place(option, old, new) for option in options))
        case Repeat(item):
            return replace(node, item=with_place(item, old, new))
        case _:
            return node


def min_width(node: Node) -> int:
    """The fewest characters that ``node`` matches."""
    match node:
        case Chars():
            return 1
        case At():
            return 0
        case Concatenation(items):
            return sum(map(min_width, items))
        case Choice(options):
            return min(map(min_width, options))
        case Repeat(item, least):
            return min_width(item) * least


def max_width(node: Node) -> int | None:
    """The most characters that ``node`` matches; None for no limit."""
    match node:
        case Chars():
            return 1
        case At():
            return 0
        case Concatenation(items):
            widths = [max_width(item) for item in items]
            return None if None in widths else sum(width for width in widths if width is not None)
        case Choice(options):
            widths = [max_width(option) for option in options]
            return None if None in widths else max(width for width in widths if width is not None)
        case Repeat(item, _, most):
            width = max_width(item)
            if width == 0:
                return 0
            return None if width is None or most is None else width * most
