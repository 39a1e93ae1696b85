"""Intersection of scopes, and the standing of the scope in force: its trust and its budgets.

On all bounds `intersect_scopes` is commutative, associative and idempotent, so the order of narrowing does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from specspan._support.process import ForkedLock
from specspan.scope.scope import (
    NO_CURRENCY,
    ROUND_DOWN_CONTEXT,
    UNROUNDED_CONTEXT,
    ArgumentLimit,
    Cost,
    Scalar,
    ScopeOfAutonomy,
    json_identity,
)

T = TypeVar("T")
V = TypeVar("V")

_NO_COST = Cost(Decimal(0), NO_CURRENCY)


def intersect_scopes(outer: ScopeOfAutonomy, inner: ScopeOfAutonomy) -> ScopeOfAutonomy:
    """Return the scope of what both scopes allow, never more. Details bind nothing; those of ``outer`` come first."""
    return ScopeOfAutonomy(
        allowed_tools=combine_bounds(outer.allowed_tools, inner.allowed_tools, _common_tools),
        limits=_merge(outer.limits, inner.limits, lambda a, b: _merge(a, b, _intersect_limits)),
        deadline=combine_bounds(outer.deadline, inner.deadline, min),
        cost_limit=combine_bounds(outer.cost_limit, inner.cost_limit, _lower_cost),
        details={**inner.details, **outer.details},
    )


def combine_bounds(a: T | None, b: T | None, narrower: Callable[[T, T], T]) -> T | None:
    """Return ``narrower`` of two bounds, or the only bound where the other is None."""
    if a is None or b is None:
        return b if a is None else a
    return narrower(a, b)


def _merge(a: Mapping[str, V], b: Mapping[str, V], narrower: Callable[[V, V], V]) -> dict[str, V]:
    return {**a, **b} | {key: narrower(a[key], b[key]) for key in a.keys() & b.keys()}


def _common_tools(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(set(a) & set(b))


def _lower_cost(a: Cost, b: Cost) -> Cost:
    """Return the lower limit; a limit of nothing for two currencies, because no cost is within both limits."""
    return min(a, b, key=lambda cost: cost.amount) if a.currency == b.currency else _NO_COST


def _intersect_limits(a: ArgumentLimit, b: ArgumentLimit) -> ArgumentLimit:
    forbidden, impossible = a.forbidden or b.forbidden, _contradict(a, b) or _contradict(b, a)
    return ArgumentLimit(
        max=combine_bounds(a.max, b.max, min),
        min=combine_bounds(a.min, b.min, max),
        one_of=() if impossible else combine_bounds(a.one_of, b.one_of, _common_values),
        patterns=(*a.patterns, *b.patterns),
        optional=a.optional and b.optional,
        forbidden=forbidden and not impossible,
    )


def _contradict(a: ArgumentLimit, b: ArgumentLimit) -> bool:
    """Return whether ``a`` forbids an argument that ``b`` requires. Then no value may be allowed."""
    return a.forbidden and not b.forbidden and not b.optional


def _common_values(a: tuple[Scalar, ...], b: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    known = {json_identity(value) for value in b}
    return tuple(value for value in a if json_identity(value) in known)


class Trust(str, Enum):
    """Origin of a scope, the most trusted first."""

    LOCAL = "local"
    """Declared by this process."""
    VERIFIED = "verified"
    """Received with a signature of a known key."""
    EXPIRED = "expired"
    """Received with a valid signature, but too old to be trusted."""
    UNTRUSTED = "untrusted"
    """Received unsigned, forged or unreadable. The readable bounds narrow the scope in force and do nothing else."""

    @property
    def is_trusted(self) -> bool:
        """Return whether a policy that requires a scope may rely on a scope of this origin."""
        return self is Trust.LOCAL or self is Trust.VERIFIED


_TRUST_RANK = {trust: rank for rank, trust in enumerate(Trust)}


class Budget:
    """Amount spent under one cost limit. Safe to share between threads."""

    __slots__ = ("_is_unknown", "_lock", "_spent", "limit")

    def __init__(self, limit: Cost) -> None:
        self.limit = limit
        self._spent = Decimal(0)
        self._is_unknown = False
        self._lock = ForkedLock()

    def spend(self, cost: Cost | None) -> None:
        """Add a cost. An unknown cost (None) or one in another currency may exceed the limit, so nothing remains."""
        with self._lock.held:
            if cost is not None and cost.currency == self.limit.currency:
                self._spent = UNROUNDED_CONTEXT.add(self._spent, cost.amount)
            elif cost is None or cost.amount:
                self._is_unknown = True

    @property
    def remaining(self) -> Cost:
        """Return the amount that may still be spent."""
        with self._lock.held:
            amount = Decimal(0) if self._is_unknown else UNROUNDED_CONTEXT.subtract(self.limit.amount, self._spent)
        return Cost(ROUND_DOWN_CONTEXT.plus(max(Decimal(0), amount)), self.limit.currency)


@dataclass(frozen=True, slots=True)
class Standing:
    """Trust in the scope of a call, and the budgets under it."""

    trust: Trust
    expires_unix_s: float | None = None
    """Time at which a received scope stops being trusted; None for a scope declared by this process."""
    budgets: tuple[Budget, ...] = ()
    """One budget for each cost limit in force."""


def combine_standings(a: Standing, b: Standing) -> Standing:
    """Return the standing of an intersection of two scopes: the lesser trust, the earlier expiry, all budgets."""
    expiries = [each for each in (a.expires_unix_s, b.expires_unix_s) if each is not None]
    return Standing(
        max(a.trust, b.trust, key=_TRUST_RANK.__getitem__),
        min(expiries, default=None),
        tuple(dict.fromkeys((*a.budgets, *b.budgets))),
    )
