"""Threads that make pages, each with a reader of the store that is its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from typing import TypeVar

from specspan.stores.protocols import StoreReader

T = TypeVar("T")

_MAX_AGE_S = 5.0
"""Age from which on a reader is opened anew: the file may have been replaced, or brought to a newer version."""
_CLOSING_S = 10.0


class ReaderPool:
    """Pool of threads. A reader is used by the thread that opened it alone, and opened anew after an error."""

    def __init__(self, open_reader: Callable[[], AbstractContextManager[StoreReader]], threads: int) -> None:
        self._open_reader = open_reader
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="specspan-console")
        self._own = threading.local()

    async def run(self, work: Callable[[StoreReader], T]) -> T:
        """Return what a function makes of a reader, in one of the threads.

        Raises:
            StoreError: the store cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._work, work)

    async def run_without_reader(self, work: Callable[[], T]) -> T:
        """Return what a function that waits makes, in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        """Close every reader, in its own thread, and end the threads."""
        barrier = threading.Barrier(self._threads)

        def close_own() -> None:
            barrier.wait(_CLOSING_S)
            self._drop_reader()

        for future in [self._executor.submit(close_own) for _ in range(self._threads)]:
            future.result(_CLOSING_S)
        self._executor.shutdown()

    def _work(self, work: Callable[[StoreReader], T]) -> T:
        reader = self._reader()
        try:
            return work(reader)
        except BaseException:
            self._drop_reader()
            raise

    def _reader(self) -> StoreReader:
        reader: StoreReader | None = getattr(self._own, "reader", None)
        if reader is not None and time.monotonic() - self._own.opened_at_s < _MAX_AGE_S:
            return reader
        self._drop_reader()
        stack = ExitStack()
        reader = stack.enter_context(self._open_reader())
        self._own.reader, self._own.stack, self._own.opened_at_s = reader, stack, time.monotonic()
        return reader

    def _drop_reader(self) -> None:
        stack: ExitStack | None = getattr(self._own, "stack", None)
        self._own.reader = self._own.stack = None
        if stack is not None:
            stack.close()
