"""Windows over which an objective is watched.

Source: Google, The Site Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts": a long window for
significance, a short one so that the alert ends soon after its cause does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Burn:
    """Pair of windows, and the rate of burning the error budget at which it alerts."""

    factor: float
    """1: the budget is used up exactly at the end of the objective's window."""
    long_s: int
    short_s: int
    urgency: str
    """``page`` or ``ticket``."""
    min_violations: int
    """Least number of violations in the long window. Where there are a few calls an hour, one violation is a high
    rate, and no reason to wake somebody."""


BURNS: Final = (
    Burn(14.4, HOUR_S, 5 * MINUTE_S, "page", 3),
    Burn(6, 6 * HOUR_S, 30 * MINUTE_S, "page", 3),
    Burn(3, DAY_S, 2 * HOUR_S, "ticket", 2),
    Burn(1, 3 * DAY_S, 6 * HOUR_S, "ticket", 2),
)

WINDOWS_S: Final = tuple(sorted({each for burn in BURNS for each in (burn.long_s, burn.short_s)}))


@dataclass(frozen=True, slots=True)
class Pace:
    """Length of windows and waits, which tests divide, so that hours pass in seconds."""

    divisor: float = 1
    least_interval_s: float = 0.2

    def duration(self, seconds: float) -> str:
        """Return a duration as Prometheus writes it."""
        millis = max(1, round(seconds * 1000 / self.divisor))
        return f"{millis // 1000}s" if millis % 1000 == 0 else f"{millis}ms"

    def interval(self, seconds: float) -> str:
        """Return the interval at which a group is evaluated."""
        return self.duration(max(seconds, self.least_interval_s * self.divisor))


def window_name(seconds: int) -> str:
    """Return a window as people write it, such as ``5m``."""
    for unit_s, unit in ((DAY_S, "d"), (HOUR_S, "h")):
        if seconds % unit_s == 0:
            return f"{seconds // unit_s}{unit}"
    return f"{seconds // MINUTE_S}m"
