"""Steps: an evaluation that yields what it must wait for, so that sync and async callers share all of it but the wait.

Only the two drivers exist twice.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class Job(Protocol):
    """Work on another thread. Both waits return once it is settled: all done, or one part of it out of time."""

    def wait(self) -> None:
        """Wait on this thread."""

    async def wait_async(self) -> None:
        """Wait without blocking the event loop."""


Steps: TypeAlias = Generator[Job, None, T]


def run_sync(steps: Steps[T]) -> T:
    """Drive ``steps`` to their result, waiting on this thread."""
    try:
        while True:
            next(steps).wait()
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


async def run_async(steps: Steps[T]) -> T:
    """Drive ``steps`` to their result; the event loop is never blocked by work on other threads.

    Cancellation ends the steps where they stand and is passed on.
    """
    try:
        while True:
            await next(steps).wait_async()
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()
