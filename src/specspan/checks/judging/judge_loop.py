"""Event loop on a thread of its own, on which all judges of a process ask their models.

Clients of models belong to the loop on which they were first used, and an application may have any number of loops, or
none. A daemon thread, which the first request starts, keeps no process from ending; a forked child starts its own.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from specspan._support import process
from specspan._support.background import start_thread

T = TypeVar("T")


class JudgeLoop:
    """Event loop that starts when it is first needed."""

    def __init__(self) -> None:
        self.after_fork()
        process.after_fork(self)

    def submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run a coroutine on the loop.

        Raises:
            RuntimeError: no thread can be started.
        """
        loop = self._running()
        if loop is None:
            work.close()
            raise RuntimeError("no thread can be started for judges")
        return asyncio.run_coroutine_threadsafe(work, loop)

    def after_fork(self) -> None:
        """Start anew: the parent's thread, and what waits on its loop, are the parent's."""
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def is_here(self) -> bool:
        """True on the loop's own thread."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _running(self) -> asyncio.AbstractEventLoop | None:
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(target=_run, args=(loop,), name="specspan-judges", daemon=True)
                if not start_thread(thread, "judges are not asked"):
                    loop.close()
                    return None
                self._loop = loop
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


LOOP = JudgeLoop()
"""Loop that the judges of this process share."""
