"""Event loop of guardrails that are coroutines: one for the process, so that their clients keep their connections."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from specspan._support.process import ForkedLock

T = TypeVar("T")

_lock = ForkedLock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


def run_coroutine(coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Run a coroutine to its result, with the context variables of the caller.

    Raises:
        TimeoutError: it took longer than ``timeout_s``; it was cancelled.
    """
    future = asyncio.run_coroutine_threadsafe(coroutine, _loop())
    try:
        return future.result(timeout_s)
    finally:
        future.cancel()


def _loop() -> asyncio.AbstractEventLoop:
    with _lock.held:
        process = os.getpid()  # a forked child has no thread of its parent's
        loop = _loops.get(process)
        if loop is None:
            loop = _loops[process] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="specspan-guardrails", daemon=True).start()
        return loop
