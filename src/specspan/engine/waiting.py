"""Steps of a decision that may have to wait for other threads, and their two drivers.

A generator yields each `Job` it must wait for, so that sync and async callers share everything but the waiting. Only
the drivers exist twice.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeAlias, TypeVar

T = TypeVar("T")


class Job(Protocol):
    """Work on another thread. Both ways to wait return once it is settled: all done, or one part of it out of time."""

    def wait(self) -> None:
        """Wait on this thread."""

    async def wait_async(self) -> None:
        """Wait without blocking the event loop."""


Steps: TypeAlias = Generator[Job, None, T]
"""Steps that yield the jobs to be waited for and return a result."""


def run_sync(steps: Steps[T]) -> T:
    """Run ``steps`` to their result, waiting on this thread."""
    try:
        job = next(steps)
        while True:
            try:
                job.wait()
            except Exception as error:  # a failure of specspan's own, for the steps to rule on
                job = steps.throw(error)
            else:
                job = next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


async def run_async(steps: Steps[T]) -> T:
    """Run ``steps`` to their result without blocking the event loop.

    Cancellation ends the steps where they stand and is passed on.
    """
    try:
        job = next(steps)
        while True:
            try:
                await job.wait_async()
            except Exception as error:  # a failure of specspan's own, for the steps to rule on
                job = steps.throw(error)
            else:
                job = next(steps)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()
