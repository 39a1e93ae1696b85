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

    def wait(self) -> object:
        """Wait on this thread."""

    async def wait_async(self) -> object:
        """Wait without blocking the event loop."""


Steps: TypeAlias = Generator[Job, None, T]
"""Steps that yield the jobs to be waited for and return a result."""


def run_sync(steps: Steps[T]) -> T:
    """Run ``steps`` to their result, waiting on this thread.

    A wait that failed is a failure of specspan's own, for the steps to rule on.
    """
    failure: Exception | None = None
    try:
        while True:
            job = next(steps) if failure is None else steps.throw(failure)
            failure = None
            try:
                job.wait()
            except Exception as error:
                failure = error
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


async def run_async(steps: Steps[T]) -> T:
    """Run ``steps`` to their result without blocking the event loop.

    Cancellation ends the steps where they stand and is passed on; a wait that failed is for the steps to rule on.
    """
    failure: Exception | None = None
    try:
        while True:
            failure = await _wait(next(steps) if failure is None else steps.throw(failure))
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


async def _wait(job: Job) -> Exception | None:
    """Wait for a job, and return the error with which the wait failed."""
    try:
        await job.wait_async()
    except Exception as error:
        return error
    return None
