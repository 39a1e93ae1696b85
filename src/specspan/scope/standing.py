"""How much a scope in force counts, and what was spent under it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from specspan.scope.model import EXACT, NO_MORE, Cost


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
