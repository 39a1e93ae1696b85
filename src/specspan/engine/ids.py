"""Decision ids: UUID version 7 (RFC 9562, section 5.7), so that ids sort by the time they were made.

Within one process they only ever grow (section 6.2, method 1: the 12 bits after the timestamp count within one
millisecond); across processes the 62 random bits keep them apart.
"""

from __future__ import annotations

import os
import random
import threading
import time

_COUNTER_BITS = 12
_FORM = "%08x-%04x-7%03x-%04x-%012x"  # milliseconds in 8 and 4 digits, version, counter, variant and chance, chance
_VARIANT = 0x8000
_SEED_MASK = (1 << (_COUNTER_BITS - 1)) - 1  # the counter's top bit starts at 0, which leaves it room to count

_chance = random.Random()  # noqa: S311 - ids are unique, not secret, and asking the system each time takes longer
_lock = threading.Lock()
_last = 0  # milliseconds and counter of the last id, as one number


def uuid7() -> str:
    """A new id, greater than every id this process made before, in the canonical form of 36 characters."""
    return _canonical(time.time_ns() // 1_000_000, _chance.getrandbits(80))


def _canonical(now_ms: int, random: int) -> str:
    tick = _next_tick((now_ms << _COUNTER_BITS) | (random >> 62 & _SEED_MASK))
    head, tail = _VARIANT | random >> 48 & 0x3FFF, random & 0xFFFF_FFFF_FFFF
    return _FORM % (tick >> 28, tick >> 12 & 0xFFFF, tick & 0xFFF, head, tail)


def _next_tick(fresh: int) -> int:
    """``fresh``, or one more than the last when the clock stands still or goes backwards.

    A full counter so runs over into the next millisecond, ahead of the clock by as little as it needs.
    """
    global _last
    with _lock:
        _last = fresh if fresh >> _COUNTER_BITS > _last >> _COUNTER_BITS else _last + 1
        return _last


def _after_fork() -> None:
    """Chances of its own for the child, and a lock: a thread of the parent's may have held it, and is not here."""
    global _lock
    _lock = threading.Lock()
    _chance.seed()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
