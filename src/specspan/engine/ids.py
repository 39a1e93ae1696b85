"""Decision ids: UUID version 7 (RFC 9562, section 5.7), so that ids sort by the time they were made.

Within one process they only ever grow (section 6.2, method 1: the 12 bits after the timestamp count within one
millisecond); across processes the 62 random bits keep them apart.
"""

from __future__ import annotations

import os
import threading
import time

_COUNTER_BITS = 12
_VERSION = 7 << 76
_VARIANT = 0b10 << 62
_RANDOM_MASK = (1 << 62) - 1
_SEED_MASK = (1 << (_COUNTER_BITS - 1)) - 1  # the counter's top bit starts at 0, which leaves it room to count

_lock = threading.Lock()
_last = 0  # milliseconds and counter of the last id, as one number


def uuid7() -> str:
    """A new id, greater than every id this process made before, in the canonical form of 36 characters."""
    return _canonical(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10), "big"))


def _canonical(now_ms: int, random: int) -> str:
    tick = _next_tick((now_ms << _COUNTER_BITS) | (random >> 62 & _SEED_MASK))
    value = (tick >> _COUNTER_BITS) << 80 | _VERSION | (tick & 0xFFF) << 64 | _VARIANT | (random & _RANDOM_MASK)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _next_tick(fresh: int) -> int:
    """``fresh``, or one more than the last when the clock stands still or goes backwards.

    A full counter so runs over into the next millisecond, ahead of the clock by as little as it needs.
    """
    global _last
    with _lock:
        _last = fresh if fresh >> _COUNTER_BITS > _last >> _COUNTER_BITS else _last + 1
        return _last


def _after_fork() -> None:
    """Another thread of the parent may have held the lock; the child has no such thread to give it back."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
