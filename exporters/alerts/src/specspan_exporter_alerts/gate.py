"""Which alerts go out: one for each clause and service in a window, and no more than so many a minute in all."""

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
    """An alert that goes out."""

    alert: Alert
    repeats: int
    """How many like it there were since the last one that went out, besides it."""


class Gate:
    """Remembers what went out. One thread at a time."""

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
        """Those that go out now. What a window holds back is told with the next; what the rate does is lost."""
        now_s = self._now_s()
        self._forget(now_s)
        return [due for alert in alerts if (due := self._one(alert, now_s)) is not None]

    def undelivered(self, due: Due) -> None:
        """It did not arrive: the next like it goes out, whatever the window."""
        self._sent_s.pop(due.alert.about, None)
        self._repeats[due.alert.about] = self._repeats.get(due.alert.about, 0) + due.repeats + 1

    def _one(self, alert: Alert, now_s: float) -> Due | None:
        about = alert.about
        if about in self._sent_s:
            self._repeats[about] = self._repeats.get(about, 0) + 1
            return None
        if len(self._minute) >= self._per_minute or len(self._sent_s) >= _KNOWN:
            drop_counts.count("alert", "rate_limited")
            return None
        self._minute.append(now_s)
        self._sent_s[about] = now_s
        return Due(alert, self._repeats.pop(about, 0))

    def _forget(self, now_s: float) -> None:
        while self._minute and now_s - self._minute[0] >= 60.0:
            self._minute.popleft()
        ended = [about for about, sent_s in self._sent_s.items() if now_s - sent_s >= self.window_s]
        for about in ended:
            del self._sent_s[about]
        while len(self._repeats) > _KNOWN:
            self._repeats.pop(next(iter(self._repeats)))
