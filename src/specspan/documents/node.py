"""One value of a structured file, and how much of a file is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

# MERGED paths: Where a value stands in a structured file, and how a problem names that place.


PathTo: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top."""


def key_of(path: PathTo) -> str | None:
    """A path as a problem names it, such as ``clauses.protect_privacy.checks[0]``; None for the top."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_plain(step)}" for step in path)
    return "".join(steps).removeprefix(".") or None


def _plain(key: str) -> str:
    """A key that could be mistaken for something else, or that would reach the terminal as a command, in quotes."""
    return key if re.fullmatch(r"[\w-]{1,99}\+?", key) else repr(key[:100])


_NO_CHILDREN: Mapping[str | int, Any] = MappingProxyType({})
VALUE_WEIGHT = 40
"""What a value weighs beside its characters."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before it takes memory."""

    max_weight: int
    """What all values may weigh with every alias written out: their characters, and `VALUE_WEIGHT` for each value."""
    max_depth: int = 32
    """Mappings and lists inside one another."""

    @property
    def too_heavy(self) -> str:
        """What is said of a file that weighs more."""
        values, megabytes = self.max_weight // VALUE_WEIGHT, self.max_weight // 1_000_000
        return f"the values come to more than {values:,}, or to more than {megabytes} MB with every alias written out"

    @property
    def too_deep(self) -> str:
        """What is said of a file that is nested deeper."""
        return f"is nested deeper than {self.max_depth} levels"


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the file."""

    value: Any
    """Plain: a mapping, a list, text, a number, a boolean or None."""
    line: int
    """Where its key stands, or in a list the value itself; counted from 1."""
    children: Mapping[str | int, Node] = field(default_factory=lambda: _NO_CHILDREN)
    """By key, or by index; empty for a scalar."""
    height: int = 0
    """Mappings and lists inside one another; 0 for a scalar."""

    def find(self, path: PathTo) -> Node | None:
        """The node at ``path``; None where the file says nothing there."""
        node: Node | None = self
        for step in path:
            node = None if node is None else node.children.get(step)
        return node

    def at(self, path: PathTo) -> Node:
        """The node at ``path`` or, where the file says nothing there, the nearest above it."""
        node = self
        for step in path:
            if step not in node.children:
                break
            node = node.children[step]
        return node


def height(children: Mapping[str | int, Node]) -> int:
    """How deep a mapping or a list with these children is."""
    return 1 + max((node.height for node in children.values()), default=0)
