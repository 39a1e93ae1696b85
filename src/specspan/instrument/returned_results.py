"""Results of functions that are model calls: what a function returned decides how the call goes on.

A text is decided at once. A generator or another iterator, sync or async, is watched while it is read. What is to be
awaited is awaited first.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any

from specspan._support.collected import when_collected
from specspan.engine.waiting import run_async, run_sync
from specspan.instrument.adapter import Streaming
from specspan.instrument.context import restore
from specspan.instrument.generators import ABANDONED, GeneratorBody, drive_returned, name_after, start_async_generator
from specspan.instrument.held_call import open_stream
from specspan.instrument.live_call import LiveCall
from specspan.instrument.replacements import Function
from specspan.instrument.stream_proxies import AsyncStream, SyncStream, pull, pull_async


def hand_over(function: Function, live: LiveCall, result: Any) -> Any:
    """Have what a function returned decided, now or as it is read. Returns what the application gets.

    Raises:
        Blocked: the policy hands nothing over.
    """
    if type(result) is str:  # as most functions return, so that nothing else is asked about it
        return run_sync(live.output(result))
    stream = _watched(function, live, result)
    if stream is not None:
        return stream
    if not inspect.isawaitable(result):
        return run_sync(live.output(result))
    unstarted = [live]
    awaiting = name_after(function, _awaited(function, unstarted, result))
    when_collected(awaiting, _abandon, unstarted)
    return _scheduled(result, awaiting) if asyncio.isfuture(result) else awaiting


async def hand_over_async(function: Function, live: LiveCall, result: Any) -> Any:
    """Have what a function gave when it was awaited decided, as `hand_over` does."""
    stream = _watched(function, live, result)
    return await run_async(live.output(result)) if stream is None else stream


async def _awaited(function: Function, unstarted: list[LiveCall], result: Any) -> Any:
    """Wait for what a function returned, and have it decided."""
    live = unstarted.pop()
    try:
        token = live.attach()
        try:
            value = await result
        finally:
            restore(token)
        return await hand_over_async(function, live, value)
    except BaseException as error:
        live.fail(error)
        raise


def _abandon(unstarted: list[LiveCall]) -> None:
    """End a call whose result nobody has begun to await."""
    for live in unstarted:
        live.end(ABANDONED)


def _scheduled(future: Any, awaiting: Coroutine[Any, Any, Any]) -> Any:
    """Return a task in place of a future, which is under way whether or not somebody waits for it."""
    return future.get_loop().create_task(awaiting)


def _watched(function: Function, live: LiveCall, result: Any) -> Any | None:
    """Return the stream in place of one that a function returned; None for everything else."""
    kind, streaming = type(result), live.adapter.streaming
    is_async = hasattr(kind, "__aiter__")
    if streaming is None or not (is_async or hasattr(kind, "__next__")):
        return None
    if isinstance(result, (Generator, AsyncGenerator)):
        body = _ReturnedBody(live, streaming)
        driver = drive_returned(body, function, result)
        when_collected(driver, body.call.abandoned)
        return driver
    return (AsyncStream if is_async else SyncStream)(result, open_stream(live, streaming))


class _ReturnedBody(GeneratorBody):
    """Generator that a function returned, whose call was made before its first turn."""

    __slots__ = ("_live", "_started", "call")

    def __init__(self, live: LiveCall, streaming: Streaming) -> None:
        super().__init__()
        self._live = live
        self._started = False
        self.call = open_stream(live, streaming, self.consumer.ending)

    def send(self, value: Any) -> Any:
        self._start()
        return pull(self.call, self.body.close, self.body.send, value)

    def throw(self, error: BaseException) -> Any:
        self.consumer.throws(error)
        return pull(self.call, self.body.close, self.body.throw, error)

    async def asend(self, value: Any) -> Any:
        if self._start():
            return await pull_async(self.call, self.body.aclose, start_async_generator, self.body)
        return await pull_async(self.call, self.body.aclose, self.body.asend, value)

    async def athrow(self, error: BaseException) -> Any:
        self.consumer.throws(error)
        return await pull_async(self.call, self.body.aclose, self.body.athrow, error)

    def _start(self) -> bool:
        """Make the span current with the first turn, for good: the context is the body's own."""
        if self._started:
            return False
        self._live.attach()
        self._started = True
        return True
