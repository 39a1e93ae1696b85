"""Ranges of time that pages show, and the buckets of their charts."""

from __future__ import annotations

from dataclasses import dataclass

_HOUR_S = 3_600
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Range of time that ends now."""

    name: str
    """Value of the parameter ``range``."""
    words: str
    seconds: int | None
    """None for all time."""
    bucket_s: int
    """Width of a bar of a chart."""

    def since_unix_nano(self, now_unix_nano: int) -> int:
        """Return the time at which the range begins: at the start of a bucket."""
        if self.seconds is None:
            return 0
        start_s = now_unix_nano // 10**9 - self.seconds
        return (start_s // self.bucket_s + 1) * self.bucket_s * 10**9


RANGES = (
    TimeRange("24h", "24 hours", _DAY_S, _HOUR_S),
    TimeRange("7d", "7 days", 7 * _DAY_S, 6 * _HOUR_S),
    TimeRange("30d", "30 days", 30 * _DAY_S, _DAY_S),
    TimeRange("all", "All time", None, _DAY_S),
)
"""Ranges to choose from, the shortest first."""


def choose_range(name: str, newest_unix_nano: int | None, now_unix_nano: int) -> TimeRange:
    """Return the range of a name; for another name, the shortest with the newest decision in it."""
    for each in RANGES:
        if each.name == name:
            return each
    if newest_unix_nano is None:
        return RANGES[0]
    return next(each for each in RANGES if newest_unix_nano >= each.since_unix_nano(now_unix_nano))
