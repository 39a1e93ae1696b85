"""Rate limit of alerts: one for each clause and service in a window, and a number a minute in all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from specspan._support import drop_counts
from specspan_exporter_alerts.alerts import Alert

_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Due:
    """Alert that is sent now."""

    alert: Alert
    repeats: int
    """Number of repeats since the last one that was sent, besides this one."""


class Gate:
    """Rate limiter that remembers the alerts sent. One thread at a time may use it."""

    def __init__(
        self, window_s: float = 300.0, per_minute: int = 30, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.window_s = window_s
        self._per_minute = per_minute
        self._now_s = now_s
        self._sent_s: dict[tuple[str, str, str], float] = {}
        self._repeats: dict[tuple[str, str, str], int] = {}
        self._minute: deque[float] = deque()

    def due(self, alerts: Iterable[Alert]) -> list[Due]:
        """Return the alerts to send now.

        Repeats within a window are counted in the next alert; alerts above the rate are lost, and counted.
        """
        now_s = self._now_s()
        self._forget(now_s)
        return [due for alert in alerts if (due := self._due_or_none(alert, now_s)) is not None]

    def undelivered(self, due: Due) -> None:
        """Forget that an alert was sent, as it did not arrive: the next repeat is sent, whatever the window."""
        self._sent_s.pop(due.alert.key, None)
        self._repeats[due.alert.key] = self._repeats.get(due.alert.key, 0) + due.repeats + 1

    def _due_or_none(self, alert: Alert, now_s: float) -> Due | None:
        key = alert.key
        if key in self._sent_s:
            self._repeats[key] = self._repeats.get(key, 0) + 1
            return None
        if len(self._minute) >= self._per_minute or len(self._sent_s) >= _KNOWN:
            drop_counts.count("alert", "rate_limited")
            return None
        self._minute.append(now_s)
        self._sent_s[key] = now_s
        return Due(alert, self._repeats.pop(key, 0))

    def _forget(self, now_s: float) -> None:
        while self._minute and now_s - self._minute[0] >= 60.0:
            self._minute.popleft()
        ended = [key for key, sent_s in self._sent_s.items() if now_s - sent_s >= self.window_s]
        for key in ended:
            del self._sent_s[key]
        while len(self._repeats) > _KNOWN:
            self._repeats.pop(next(iter(self._repeats)))
