"""Limit of the work that the texts of one call may make, so that no text occupies a process.

Work is counted in steps of about two nanoseconds of a processor. A search counts by the length of what is searched,
and by its time on the processor where it took far longer than that. Texts of less than `FREE_CHARS` together count
nothing: what they can cost is bounded as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

MAX_STEPS = 500_000_000
"""Most work over the texts of one call: about a second of a processor."""
FREE_CHARS = 1 << 16
"""Characters of the texts of one stage below which no work is counted."""
SEARCH_STEPS = 2
"""Steps for each byte that one pattern is searched for in."""
PASS_STEPS = 10
"""Steps for each byte that all patterns are searched for in at once."""
FRAMING_STEPS = 100
"""Steps for each character of a text beyond ASCII, which is written anew for RE2 and may take five times its bytes."""
READING_STEPS = 20
"""Steps for each character of a text that is read in a further way."""
STRETCH_STEPS = 2_000
"""Steps for each stretch that reads differently there; it takes some 300 bytes as long as that reading is searched."""

_NS_PER_STEP = 2
_SLOW = 8  # so many times as long as usual
_PROBED_BYTES = 1 << 14
_PROBE_BYTES = 1 << 11

R = TypeVar("R")


class WorkLimitReached(Exception):
    """Work that was not begun, because it would exceed the limit of its call."""

    def __init__(self) -> None:
        super().__init__(f"the texts of the call take more than {MAX_STEPS:,} steps to search")


class Work:
    """Work that is left for one call. Threads may share it."""

    __slots__ = ("_clock_ns", "left")

    def __init__(self, steps: int | None = None, clock_ns: Callable[[], int] = time.thread_time_ns) -> None:
        self.left = MAX_STEPS if steps is None else steps
        """Steps that may still be made."""
        self._clock_ns = clock_ns

    def require(self, steps: int) -> None:
        """Raise `WorkLimitReached` where fewer steps are left, and count nothing."""
        if steps > self.left:
            raise WorkLimitReached

    def charge(self, steps: int) -> None:
        """Count some steps before they are made.

        Raises:
            WorkLimitReached: fewer are left; none is counted then.
        """
        self.require(steps)
        self.left -= steps

    def search(self, find: Callable[[bytes], R], data: bytes, steps_per_byte: int = SEARCH_STEPS) -> R:
        """Return ``find(data)``, counted by the length of ``data`` or, where that is far less, by its time.

        A long text is probed first: the automaton of some patterns is a hundred times as slow on some texts.

        Raises:
            WorkLimitReached: fewer steps are left than the search would make.
        """
        steps = len(data) * steps_per_byte
        self.require(steps)
        if len(data) > _PROBED_BYTES:
            middle = len(data) // 2
            _, probed = self._timed(find, data[middle : middle + _PROBE_BYTES], steps_per_byte)
            self.require(probed * len(data) // _PROBE_BYTES)
        result, taken = self._timed(find, data, steps_per_byte)
        self.left -= taken
        return result

    def _timed(self, find: Callable[[bytes], R], data: bytes, steps_per_byte: int) -> tuple[R, int]:
        started_ns = self._clock_ns()
        result = find(data)
        usual, taken = len(data) * steps_per_byte, (self._clock_ns() - started_ns) // _NS_PER_STEP
        return result, taken if taken > usual * _SLOW else usual
