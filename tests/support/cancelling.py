"""Cancelling whoever reads a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest


async def cancel_reader(stream: AsyncIterator[object]) -> None:
    """Read ``stream`` in a task until there is nothing to read, and cancel that while it waits."""

    async def read() -> None:
        async for _ in stream:
            pass

    task = asyncio.create_task(read())
    for _ in range(3):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
