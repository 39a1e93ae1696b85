"""What two scopes allow together: what both of them do, never more.

On all that binds, `narrow` is commutative, associative and idempotent, so it does not matter who narrowed first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

from specspan.scope.model import NOTHING_IN_COMMON, ArgumentLimit, Cost, Plain, ScopeOfAutonomy, exact

T = TypeVar("T")
V = TypeVar("V")

_NOTHING = Cost(Decimal(0), NOTHING_IN_COMMON)


def narrow(outer: ScopeOfAutonomy, inner: ScopeOfAutonomy) -> ScopeOfAutonomy:
    """What both allow. Of their details, which bind nothing, those of ``outer`` go first."""
    return ScopeOfAutonomy(
        allowed_tools=both(outer.allowed_tools, inner.allowed_tools, _common_tools),
        limits=_merged(outer.limits, inner.limits, lambda a, b: _merged(a, b, _tighter)),
        deadline=both(outer.deadline, inner.deadline, min),
        cost_limit=both(outer.cost_limit, inner.cost_limit, _cheaper),
        details={**inner.details, **outer.details},
    )


def both(a: T | None, b: T | None, narrower: Callable[[T, T], T]) -> T | None:
    """What ``narrower`` makes of two bounds; of one alone, that one."""
    if a is None or b is None:
        return b if a is None else a
    return narrower(a, b)


def _merged(a: Mapping[str, V], b: Mapping[str, V], narrower: Callable[[V, V], V]) -> dict[str, V]:
    return {**a, **b} | {key: narrower(a[key], b[key]) for key in a.keys() & b.keys()}


def _common_tools(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(set(a) & set(b))


def _cheaper(a: Cost, b: Cost) -> Cost:
    """The lower limit. What is spent in one currency keeps to no limit in another, so of two nothing is left."""
    return min(a, b, key=lambda cost: cost.amount) if a.currency == b.currency else _NOTHING


def _tighter(a: ArgumentLimit, b: ArgumentLimit) -> ArgumentLimit:
    forbidden, impossible = a.forbidden or b.forbidden, _contradict(a, b) or _contradict(b, a)
    return ArgumentLimit(
        max=both(a.max, b.max, min),
        min=both(a.min, b.min, max),
        one_of=() if impossible else both(a.one_of, b.one_of, _common_values),
        patterns=(*a.patterns, *b.patterns),
        optional=a.optional and b.optional,
        forbidden=forbidden and not impossible,
    )


def _contradict(a: ArgumentLimit, b: ArgumentLimit) -> bool:
    """Whether one wants the argument there and the other does not. It must then be there and be none of no values."""
    return a.forbidden and not b.forbidden and not b.optional


def _common_values(a: tuple[Plain, ...], b: tuple[Plain, ...]) -> tuple[Plain, ...]:
    known = {exact(value) for value in b}
    return tuple(value for value in a if exact(value) in known)
