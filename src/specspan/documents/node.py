"""Values of a structured file with their lines and paths, and the limits on the size of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

PathTo: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the top of a file to a value."""


_NO_CHILDREN: Mapping[str | int, Any] = MappingProxyType({})
VALUE_WEIGHT = 40
"""Weight of a value, added to its number of characters."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest size and depth of a file, checked while it is read."""

    max_weight: int
    """Largest weight of all values, every alias written out: their characters, and `VALUE_WEIGHT` for each value."""
    max_depth: int = 32
    """Largest number of mappings and lists inside one another."""

    @property
    def weight_message(self) -> str:
        """Return the message for a file over the weight limit."""
        values, megabytes = self.max_weight // VALUE_WEIGHT, self.max_weight // 1_000_000
        return f"the values come to more than {values:,}, or to more than {megabytes} MB with every alias written out"

    @property
    def depth_message(self) -> str:
        """Return the message for a file over the depth limit."""
        return f"is nested deeper than {self.max_depth} levels"


@dataclass(frozen=True, slots=True)
class Node:
    """Value of a structured file, and its line."""

    value: Any
    """Mapping, list, string, number, boolean or None, made of such values alone."""
    line: int
    """Line of its key, or in a list of the value itself, counted from 1."""
    children: Mapping[str | int, Node] = field(default_factory=lambda: _NO_CHILDREN)
    """Values inside it by key or index; empty for a scalar."""
    height: int = 0
    """Number of mappings and lists inside one another; 0 for a scalar."""

    def find(self, path: PathTo) -> Node | None:
        """Return the node at ``path``; None where the file has none."""
        node: Node | None = self
        for step in path:
            node = None if node is None else node.children.get(step)
        return node

    def at(self, path: PathTo) -> Node:
        """Return the node at ``path`` or, where the file has none, the nearest node above."""
        node = self
        for step in path:
            if step not in node.children:
                break
            node = node.children[step]
        return node


def height(children: Mapping[str | int, Node]) -> int:
    """Return the height of a mapping or list with these children."""
    return 1 + max((node.height for node in children.values()), default=0)


def key_of(path: PathTo) -> str | None:
    """Return a path as a problem names it, such as ``clauses.protect_privacy.checks[0]``; None for the top."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_format_key(step)}" for step in path)
    return "".join(steps).removeprefix(".") or None


def _format_key(key: str) -> str:
    """Return a key, in quotes if it could be misread as a path or hold terminal control characters."""
    return key if re.fullmatch(r"[\w-]{1,99}\+?", key) else repr(key[:100])
