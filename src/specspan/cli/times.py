"""Times and durations as people write and read them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_HALF_A_YEAR_NS = 182 * 86_400 * 10**9
_AGO = re.compile(r"(\d{1,6})([smhdw])")


def since(text: str, now_unix_nano: int) -> int:
    """The time a range begins at, in nanoseconds since 1970.

    Args:
        text: an age (``90s``, ``15m``, ``2h``, ``7d``, ``2w``), a day (``2026-11-01``) or a time
            (``2026-11-01T08:30``). Local time, unless it names its offset.
        now_unix_nano: what ages count back from.

    Raises:
        ValueError: it is none of these; the message says what they are.
    """
    age = _AGO.fullmatch(text.strip())
    if age:
        return now_unix_nano - int(age[1]) * _SECONDS[age[2]] * 10**9
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return int(moment.timestamp()) * 10**9
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time. Write an age (15m, 2h, 7d) or a date (2026-11-01)") from None


def local(time_unix_nano: int) -> str:
    """A time as the wall clock here shows it."""
    return _moment(time_unix_nano).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def listed(time_unix_nano: int, now_unix_nano: int) -> str:
    """A time for a list, as `ls` writes it: without the year while nobody can mistake it, else without seconds."""
    recent = 0 <= now_unix_nano - time_unix_nano < _HALF_A_YEAR_NS
    return _moment(time_unix_nano).astimezone().strftime("%m-%d %H:%M:%S" if recent else "%Y-%m-%d %H:%M")


def utc(time_unix_nano: int) -> str:
    """A time in ISO 8601, UTC, to the microsecond."""
    return _moment(time_unix_nano).isoformat(timespec="microseconds").replace("+00:00", "Z")


def duration(duration_ns: int) -> str:
    """A duration in the unit that suits it: ``412 µs``, ``82 ms``, ``1.24 s``, ``3 min 05 s``."""
    if duration_ns < 999_500:
        return f"{duration_ns / 1e3:.0f} µs"
    if duration_ns < 999_500_000:
        return f"{duration_ns / 1e6:.3g} ms"
    if duration_ns < 59_950_000_000:
        return f"{duration_ns / 1e9:.3g} s"
    minutes, seconds = divmod(round(duration_ns / 1e9), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def _moment(time_unix_nano: int) -> datetime:
    return datetime.fromtimestamp(time_unix_nano / 1e9, tz=timezone.utc)
