"""Circuit breaker of one model at its endpoint: after several failures in a row nobody asks it for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

from specspan._support import process
from specspan._support.caches import BoundedCache
from specspan._support.process import ForkedLock

FAILURES = 5
"""Failures in a row after which a breaker opens."""
PAUSE_S = 15.0
"""Seconds for which it stays open at first; twice as long each time that the next attempt fails, too."""
MAX_PAUSE_S = 300.0


class CircuitBreaker:
    """State of one model at its endpoint, for any thread."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = ForkedLock()
        self._failures = 0
        self._opened = 0
        self._closed_until_s = 0.0
        self._is_trying = False
        process.after_fork(self)

    def after_fork(self) -> None:
        """Forget that the parent tries: its answer never comes here."""
        self._is_trying = False

    @property
    def is_open(self) -> bool:
        """True while nobody may ask; the state does not change by looking at it."""
        return self._opened > 0 and (self._now_s() < self._closed_until_s or self._is_trying)

    def admit(self) -> bool:
        """Return whether a request may be made. After the pause, one at a time is let through to try."""
        with self._lock.held:
            if not self._opened:
                return True
            if self._now_s() < self._closed_until_s or self._is_trying:
                return False
            self._is_trying = True
            return True

    def succeed(self) -> None:
        """Close the breaker: the endpoint answered."""
        with self._lock.held:
            self._failures = self._opened = 0
            self._is_trying = False

    def release(self) -> None:
        """Take back an admission of which nothing came that says anything of the endpoint."""
        with self._lock.held:
            self._is_trying = False

    def fail(self) -> None:
        """Count a failure of the endpoint, and open the breaker where it is one too many."""
        with self._lock.held:
            self._failures += 1
            was_trying, self._is_trying = self._is_trying, False
            if was_trying or (not self._opened and self._failures >= FAILURES):
                pause_s = min(MAX_PAUSE_S, PAUSE_S * 2**self._opened)
                self._opened += 1
                self._closed_until_s = self._now_s() + pause_s


_breakers: BoundedCache[tuple[str, str], CircuitBreaker] = BoundedCache(256)
_lock = ForkedLock()


def breaker_of(endpoint: str, model: str) -> CircuitBreaker:
    """Return this process's breaker of a model at an endpoint.

    Models of one endpoint fail apart: one may be unknown there, limited or overloaded while the others answer.
    """
    with _lock.held:
        breaker = _breakers.get((endpoint, model))
        if breaker is None:
            breaker = _breakers[endpoint, model] = CircuitBreaker()
        return breaker
