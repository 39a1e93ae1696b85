"""Interruptions of calls at random moments: what a signal's handler raises, and whether it arrives."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Callable
from types import FrameType


class SoftLimit(Exception):
    """Time limit of an application."""


OURS = ("/specspan/", "/opentelemetry/", "/re2/")
CLIENTS = ("/openai/", "/httpx", "/httpcore", "/pydantic/", "/anyio/")


class Timer:
    """Timer that interrupts a call at a random moment, and knows where."""

    def __init__(self) -> None:
        self.raised = 0
        self.where = traceback.StackSummary()
        signal.signal(signal.SIGALRM, self._raise)

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.raised += 1
        self.where = traceback.extract_stack(frame)
        raise SoftLimit

    @property
    def hit(self) -> str:
        """Return whose code was interrupted: the innermost frame that is a library's, or specspan's."""
        names = [each.filename for each in reversed(self.where)]
        return next((name for name in names if any(part in name for part in (*OURS, *CLIENTS))), "")

    def interrupt(self, call: Callable[[], object], at_s: float) -> bool:
        """Make a call; return True if an interruption was raised in it and did not arrive."""
        before = self.raised
        try:
            signal.setitimer(signal.ITIMER_REAL, at_s)
            call()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except BaseException as error:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if not has_interruption(error):
                raise
            return False
        return self.raised > before


def has_interruption(error: BaseException | None) -> bool:
    """Return whether an error is the interruption, or the client's about it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, SoftLimit):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def fastest(call: Callable[[], object]) -> float:
    def once() -> float:
        started_s = time.perf_counter()
        call()
        return time.perf_counter() - started_s

    return min(once() for _ in range(20))
