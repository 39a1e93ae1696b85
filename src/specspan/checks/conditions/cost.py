"""Upper bound of what a condition costs, from its syntax tree: rounds of its macros, and passes over whole texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from specspan.checks.conversations.turns import MAX_ITEMS

MAX_ROUNDS = 10_000
"""Most rounds that all macros of a condition may take together. CEL itself stops there."""
MAX_SCANS = 256
"""Most passes over a whole text."""
_SCANS = frozenset(("contains", "matches", "startsWith", "endsWith", "size", "_+_", "_==_", "_!=_", "string", "bytes"))
_WHOLE = ""


class TooCostly(ValueError):
    """Condition of which one call could cost too much; the message says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Most that evaluating an expression once can take."""

    rounds: int = 0
    """Rounds of macros."""
    scans: Counter[str] = field(default_factory=Counter)
    """Passes over a text, by the variable of a macro that it is part of; ``""`` for a text of the whole call."""

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.rounds + other.rounds, self.scans + other.scans)


def check_cost(checked: Any) -> Cost:
    """Return the bound of a checked syntax tree.

    Raises:
        TooCostly: one call could take too long.
    """
    types = {entry.id: entry.type for entry in checked.types}
    cost = _Bound(types).of(checked.expr, {})
    if cost.rounds > MAX_ROUNDS:
        raise TooCostly(
            f"its macros could take {cost.rounds:,} rounds for one call, over {MAX_ROUNDS:,}, as macros stand inside "
            "one another"
        )
    scans = sum(cost.scans.values())
    if scans > MAX_SCANS:
        raise TooCostly(
            f"it could read a whole text {scans:,} times for one call, over {MAX_SCANS}: a macro reads in each round a "
            "text that is not part of its variable"
        )
    return cost


def walk(node: Any) -> Iterator[Any]:
    """Yield every expression of a syntax tree, from the outside in."""
    yield node
    for child in _children(node):
        yield from walk(child)


def _children(node: Any) -> Iterator[Any]:
    kind = _kind(node)
    body: Any = getattr(node, kind) if kind else None
    if kind == "select":
        yield body.operand
    elif kind == "call":
        if body.HasField("target"):
            yield body.target
        yield from body.args
    elif kind == "list":
        yield from body.elements
    elif kind == "struct":
        for entry in body.entries:
            yield entry.value
            if entry.HasField("key"):
                yield entry.key
    elif kind == "comprehension":
        yield from (body.range, body.start, body.condition, body.step, body.result)


def _kind(node: Any) -> str:
    kinds = ("constant", "ident", "select", "call", "list", "struct", "comprehension")
    return next((kind for kind in kinds if node.HasField(kind)), "")


@dataclass(frozen=True, slots=True)
class _Bound:
    types: Mapping[int, Any]

    def of(self, node: Any, sizes: Mapping[str, int]) -> Cost:
        """Return the bound of ``node``, inside macros whose variables are the keys of ``sizes``."""
        kind = _kind(node)
        if kind == "comprehension":
            return self._of_macro(node.comprehension, sizes)
        cost = sum((self.of(child, sizes) for child in _children(node)), Cost())
        if kind == "call" and node.call.function in _SCANS:
            roots = [root for child in _children(node) if (root := _root(child)) is not None]
            inner = [root for root in roots if root in sizes]
            is_whole = len(inner) < len(roots) and node.call.function not in ("_==_", "_!=_")
            if roots:
                cost += Cost(scans=Counter({_WHOLE if is_whole else (inner or [_WHOLE])[-1]: 1}))
        return cost

    def _of_macro(self, macro: Any, sizes: Mapping[str, int]) -> Cost:
        size = self._size(macro.range)
        if macro.start.HasField("list") and not self._is_bounded(macro.range):
            raise TooCostly("map and filter copy a list inside JSON, whose length nothing bounds: use all or exists")
        body_sizes = {**sizes, macro.variable: size}
        body = self.of(macro.condition, body_sizes) + self.of(macro.step, body_sizes)
        scans: Counter[str] = Counter()
        outer = _root(macro.range)
        for root, count in body.scans.items():
            if root == macro.variable:  # all parts of the list together are as long as the list
                scans[outer if outer is not None and outer in sizes else _WHOLE] += count
            elif root != macro.accumulator:
                scans[root] += count * size
        around = self.of(macro.range, sizes) + self.of(macro.start, sizes)
        return around + Cost(size + size * body.rounds, scans)

    def _size(self, node: Any) -> int:
        return len(node.list.elements) if node.HasField("list") else MAX_ITEMS

    def _is_bounded(self, node: Any) -> bool:
        return node.HasField("list") or (node.id in self.types and self.types[node.id].HasField("list"))


def _root(node: Any) -> str | None:
    """Return the variable that an expression is a part of; None for constants and for what is computed."""
    while node.HasField("select"):
        node = node.select.operand
    if node.HasField("call") and node.call.function == "_[_]":
        return _root(node.call.args[0])
    return node.ident.name if node.HasField("ident") else None
