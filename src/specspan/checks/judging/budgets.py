"""Budgets of judges: calls, tokens and money for each minute and day (UTC). Each process has its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from specspan._support.caches import BoundedCache
from specspan._support.process import ForkedLock

OVER_BUDGET = "over_budget"
"""Unassessed: the judge has used what its budget allows."""
_MINUTE_S, _DAY_S = 60, 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """Most that a judge may use; None is no limit."""

    calls_per_minute: int | None = None
    calls_per_day: int | None = None
    tokens_per_minute: int | None = None
    tokens_per_day: int | None = None
    usd_per_minute: float | None = None
    usd_per_day: float | None = None

    @property
    def is_unlimited(self) -> bool:
        """True where nothing is limited."""
        return self == Limits()


NO_LIMITS = Limits()


class Budget:
    """Use so far of what some judges share, in the current minute and day."""

    def __init__(self, limits: Limits, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._lock = ForkedLock()
        self._windows = (
            _Window(_MINUTE_S, limits.calls_per_minute, limits.tokens_per_minute, limits.usd_per_minute),
            _Window(_DAY_S, limits.calls_per_day, limits.tokens_per_day, limits.usd_per_day),
        )

    @property
    def is_used_up(self) -> bool:
        """True where the requests so far have used all tokens or all money there is."""
        with self._lock.held:
            now_s = self._now_s()
            return not all(window.has_tokens(now_s) for window in self._windows)

    def reserve_calls(self, count: int = 1) -> bool:
        """Count requests that are about to be made; return False, and count nothing, where they are too many."""
        with self._lock.held:
            now_s = self._now_s()
            if not all(window.has_room(now_s, count) for window in self._windows):
                return False
            for window in self._windows:
                window.calls += count
            return True

    def release_calls(self, count: int = 1) -> None:
        """Take back requests that were not made."""
        with self._lock.held:
            for window in self._windows:
                window.calls = max(0, window.calls - count)

    def spend(self, tokens: int, usd: float) -> None:
        """Count what a request has used."""
        with self._lock.held:
            now_s = self._now_s()
            for window in self._windows:
                window.roll(now_s)
                window.tokens += tokens
                window.usd += usd


class _Window:
    __slots__ = ("_length_s", "_max_calls", "_max_tokens", "_max_usd", "_number", "calls", "tokens", "usd")

    def __init__(self, length_s: int, max_calls: int | None, max_tokens: int | None, max_usd: float | None) -> None:
        self._length_s = length_s
        self._max_calls, self._max_tokens, self._max_usd = max_calls, max_tokens, max_usd
        self._number = -1
        self.calls, self.tokens, self.usd = 0, 0, 0.0

    def roll(self, now_s: float) -> None:
        number = int(now_s // self._length_s)
        if number != self._number:
            self._number = number
            self.calls, self.tokens, self.usd = 0, 0, 0.0

    def has_room(self, now_s: float, calls: int) -> bool:
        return self.has_tokens(now_s) and (self._max_calls is None or self.calls + calls <= self._max_calls)

    def has_tokens(self, now_s: float) -> bool:
        self.roll(now_s)
        return (self._max_tokens is None or self.tokens < self._max_tokens) and (
            self._max_usd is None or self.usd < self._max_usd
        )


_budgets: BoundedCache[tuple[str, Limits], Budget] = BoundedCache(256)
_lock = ForkedLock()


def budget_of(key: str, limits: Limits) -> Budget:
    """Return this process's budget of judges with one model, endpoint and limits."""
    with _lock.held:
        budget = _budgets.get((key, limits))
        if budget is None:
            budget = _budgets[key, limits] = Budget(limits)
        return budget
