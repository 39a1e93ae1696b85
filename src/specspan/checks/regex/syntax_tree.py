"""Syntax tree of a pattern: five kinds of node, with the flags already applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from specspan.checks.regex.charset import CharSet


class Place(Enum):
    """Condition of a node without width on its position in the text."""

    START = r"\A"
    LINE_START = "(?m)^"
    END = r"\Z"
    END_OR_LAST_NEWLINE = "$"
    LINE_END = "(?m)$"
    BOUNDARY = r"\b"
    NOT_BOUNDARY = r"\B"


@dataclass(frozen=True, slots=True)
class Chars:
    """Node that matches one character of a set."""

    charset: CharSet


@dataclass(frozen=True, slots=True)
class At:
    """Node that matches the empty text at such a place."""

    place: Place


@dataclass(frozen=True, slots=True)
class Concatenation:
    """Node that matches its items one after the other."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Node that matches the first of its options that fits."""

    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """Node that matches its item several times."""

    item: Node
    least: int
    most: int | None
    """Largest number of rounds; None for no limit."""
    greedy: bool


Node: TypeAlias = Chars | At | Concatenation | Choice | Repeat


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly inside ``node``."""
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
    """Return the largest number of nodes inside one another."""
    return 1 + max(map(depth, children(node)), default=0)


def places(node: Node) -> Iterator[Place]:
    """Yield every place in ``node``."""
    if isinstance(node, At):
        yield node.place
    for child in children(node):
        yield from places(child)


def charsets(node: Node) -> Iterator[CharSet]:
    """Yield every set of characters in ``node``."""
    if isinstance(node, Chars):
        yield node.charset
    for child in children(node):
        yield from charsets(child)


def replace_place(node: Node, old: Place, new: Place) -> Node:
    """Return ``node`` with every place ``old`` replaced by ``new``."""
    match node:
        case At(place):
            return At(new) if place is old else node
        case Concatenation(items):
            return Concatenation(tuple(replace_place(item, old, new) for item in items))
        case Choice(options):
            return Choice(tuple(replace_place(option, old, new) for option in options))
        case Repeat(item):
            return replace(node, item=replace_place(item, old, new))
        case _:
            return node


def min_width(node: Node) -> int:
    """Return the fewest characters that ``node`` matches."""
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
    """Return the most characters that ``node`` matches; None for no limit."""
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
