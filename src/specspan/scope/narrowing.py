"""What two scopes allow together: what both of them do, never more.

On all that binds, `narrow` is commutative, associative and idempotent, so it does not matter who narrowed first.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import TypeVar

from specspan.scope.scope import EXACT, NO_MORE, NOTHING_IN_COMMON, ArgumentLimit, Cost, Plain, ScopeOfAutonomy, exact

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


# MERGED standing: How much a scope in force counts, and what was spent under it.


class Trust(str, Enum):
    """Where a scope comes from, the most trusted first."""

    LOCAL = "local"
    """This process declared it."""
    VERIFIED = "verified"
    """It arrived with a signature of a key that is known here."""
    EXPIRED = "expired"
    """It was verified, and is too old to count."""
    UNTRUSTED = "untrusted"
    """It arrived unsigned, forged or unreadable. What can be read of it narrows, and nothing else."""

    @property
    def counts(self) -> bool:
        """Whether a policy that requires a scope may rely on it."""
        return self is Trust.LOCAL or self is Trust.VERIFIED


_TRUST = {trust: rank for rank, trust in enumerate(Trust)}


class Budget:
    """What was spent under one cost limit. Shared by whoever works under it, on whichever thread."""

    __slots__ = ("_incomparable", "_lock", "_spent", "limit")

    def __init__(self, limit: Cost) -> None:
        self.limit = limit
        self._spent = Decimal(0)
        self._incomparable = False
        self._lock = threading.Lock()

    def spend(self, cost: Cost | None) -> None:
        """Count what was spent. What is None, or in another currency, may be over the limit: nothing is left."""
        with self._lock:
            if cost is not None and cost.currency == self.limit.currency:
                self._spent = EXACT.add(self._spent, cost.amount)
            elif cost is None or cost.amount:
                self._incomparable = True

    @property
    def left(self) -> Cost:
        """What may still be spent."""
        with self._lock:
            left = Decimal(0) if self._incomparable else EXACT.subtract(self.limit.amount, self._spent)
        return Cost(NO_MORE.plus(max(Decimal(0), left)), self.limit.currency)


@dataclass(frozen=True, slots=True)
class Standing:
    """How much the scope of a call counts."""

    trust: Trust
    expires_unix_s: float | None = None
    """When what arrived stops being trusted; None where nothing did."""
    budgets: tuple[Budget, ...] = ()
    """One for each cost limit in force."""


def together(a: Standing, b: Standing) -> Standing:
    """The standing of what two scopes allow together: as little as counts in either."""
    expiries = [each for each in (a.expires_unix_s, b.expires_unix_s) if each is not None]
    return Standing(
        max(a.trust, b.trust, key=_TRUST.__getitem__),
        min(expiries, default=None),
        tuple(dict.fromkeys((*a.budgets, *b.budgets))),
    )
