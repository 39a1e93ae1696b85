"""Waiting in whatever event loop runs a coroutine, for something that another thread does."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import Any, Protocol

from specspan._support import alarm


class Alarm(Protocol):
    """Alarm that any thread rings and one coroutine waits for."""

    def ring(self) -> None:
        """Wake the coroutine that waits, or the next one that does."""

    async def wait(self, timeout_s: float) -> None:
        """Wait until the alarm rings, or for so long."""


def make_alarm() -> Alarm:
    """Return an alarm for the event loop that runs the caller.

    In a loop that is neither asyncio's nor trio's, waiting blocks the thread: that is slow for others, and not wrong.
    """
    library = _running_library()
    if library == "trio":
        return _TrioAlarm()
    return _AsyncioAlarm(asyncio.get_running_loop()) if library == "asyncio" else _ThreadAlarm()


def _running_library() -> str | None:
    """Return the name of the library whose loop runs the caller, as ``sniffio`` has it; trio always brings that."""
    sniffio: Any = sys.modules.get("sniffio")
    if sniffio is not None:
        try:
            name: str = sniffio.current_async_library()
        except sniffio.AsyncLibraryNotFoundError:
            return None
        return name
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return "asyncio"
    return None


class _AsyncioAlarm:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rung: asyncio.Future[None] = loop.create_future()

    def ring(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self._rung.done():
            self._rung.set_result(None)

    async def wait(self, timeout_s: float) -> None:
        await asyncio.wait((self._rung,), timeout=timeout_s)
        if self._rung.done():
            self._rung = self._loop.create_future()


class _TrioAlarm:
    def __init__(self) -> None:
        self._trio: Any = sys.modules["trio"]
        self._token = self._trio.lowlevel.current_trio_token()
        self._rung = self._trio.Event()

    def ring(self) -> None:
        with contextlib.suppress(self._trio.RunFinishedError):
            self._token.run_sync_soon(self._set)

    def _set(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> None:
        with self._trio.move_on_after(timeout_s):
            await self._rung.wait()
        if self._rung.is_set():
            self._rung = self._trio.Event()


class _ThreadAlarm:
    def __init__(self) -> None:
        self._alarm = alarm.Alarm()
        self.ring = self._alarm.ring

    async def wait(self, timeout_s: float) -> None:
        self._alarm.wait(timeout_s)
