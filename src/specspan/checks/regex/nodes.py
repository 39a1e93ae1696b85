"""A pattern as a tree of five kinds of node, its flags already worked into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from specspan.checks.regex.charset import CharSet


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
class Sequence:
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


Node: TypeAlias = Chars | At | Sequence | Choice | Repeat


def children(node: Node) -> tuple[Node, ...]:
    """The nodes right inside ``node``."""
    match node:
        case Sequence(items):
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
        case Sequence(items):
            return Sequence(tuple(with_place(item, old, new) for item in items))
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
        case Sequence(items):
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
        case Sequence(items):
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
