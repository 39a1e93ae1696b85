"""The one wrapper around every provider's methods. Only `call` and `run_call_async` exist twice: the one that awaits.

A method that is itself an async generator makes its call when its first chunk is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any

from specspan._support.guard import contain
from specspan.engine.evaluation import AFTER_CALL
from specspan.engine.waiting import run_async, run_sync
from specspan.instrument.adapter import Adapter, Invocation
from specspan.instrument.context import restore
from specspan.instrument.live_call import LiveCall, should_skip
from specspan.instrument.pipeline import Pipeline, active
from specspan.instrument.proxies import ObjectProxy
from specspan.instrument.stream_proxies import AsyncStream, SyncStream
from specspan.instrument.streamed_call import StreamedCall
from specspan.instrument.work_span import COMPLETED

# MERGED managers: A provider's ``with`` block that makes the call when it is entered, as the application knows it.
#
# What is wrapped is the making of the block. Entering it is the call: what is sent may be edited, and then the block is
# made anew.


Make = Callable[..., Any]
"""The provider's method that makes the block."""


class _Manager(ObjectProxy):  # type: ignore[misc]  # see there
    """The provider's block to ``isinstance`` and in every attribute."""

    def __init__(self, manager: Any, make: Make, asked: Invocation, entered: Callable[[Make], Any]) -> None:
        super().__init__(manager)
        self._self_make = make
        self._self_asked = asked
        self._self_entered = entered

    def _self_made(self, kwargs: dict[str, Any]) -> Any:
        """The block that asks for just this."""
        asked = self._self_asked
        if any(value is not asked.kwargs.get(name) for name, value in kwargs.items()):
            _discard(self.__wrapped__)
            ObjectProxy.__init__(self, self._self_make(*asked.args, **kwargs))
        return self.__wrapped__


class SyncManager(_Manager):
    """A block that is entered with ``with``."""

    def __enter__(self) -> Any:
        return self._self_entered(lambda **kwargs: self._self_made(kwargs).__enter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> Any:
        return self.__wrapped__.__exit__(kind, error, tb)


class AsyncManager(_Manager):
    """A block that is entered with ``async with``."""

    async def __aenter__(self) -> Any:
        entered = False

        def enter(**kwargs: Any) -> Awaitable[Any]:
            nonlocal entered
            entered = True
            made: Awaitable[Any] = self._self_made(kwargs).__aenter__()
            return made

        try:
            return await self._self_entered(enter)
        finally:
            if not entered:
                _discard(self.__wrapped__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> Any:
        return await self.__wrapped__.__aexit__(kind, error, tb)


def _discard(manager: Any) -> None:
    """Close the coroutine of a request that will not be made, so that nobody is warned of it."""
    for value in vars(manager).values():
        if inspect.iscoroutine(value):
            value.close()


Called = Callable[..., Any]
Wrapper = Callable[[Called, Any, tuple[Any, ...], dict[str, Any]], Any]


def wrap_client_method(adapter: Adapter, method: Called) -> Wrapper:
    """A `wrapt` wrapper that makes every call of a method a model call."""
    function = inspect.unwrap(method)
    through: Callable[..., Any] = run_call
    if adapter.on_entry:
        through = managed
    elif inspect.isasyncgenfunction(function):
        through = generate_async
    elif inspect.iscoroutinefunction(function):
        through = run_call_async

    def wrapper(wrapped: Called, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pipeline = active()
        if pipeline is None:
            return wrapped(*args, **kwargs)
        try:
            chosen = adapter if adapter.choose is None else adapter.choose(instance, args, kwargs)
        except Exception as error:
            contain("instrument.choose", error)
            chosen = _unreadable(adapter, error)
        if chosen is None or should_skip(chosen.package):
            return wrapped(*args, **kwargs)
        return through(chosen, pipeline, wrapped, chosen.prepare(Invocation(instance, args, kwargs)))

    return wrapper


def _unreadable(adapter: Adapter, error: Exception) -> Adapter:
    """Return the adapter of a call of which nothing can be known."""

    def fail(_: Any) -> Any:
        raise error

    return Adapter(
        adapter.provider,
        fail,
        fail,
        adapter.edit_request,
        adapter.edit_response,
        operation=adapter.operation,
        package=adapter.package,
        gateway=adapter.gateway,
    )


def run_call(adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation) -> Any:
    live = LiveCall(adapter, pipeline, invocation)
    try:
        sent = run_sync(live.input(invocation)) if live.asks else invocation
        token = live.attach()
        try:
            result = live.buffer_response(wrapped(*sent.args, **sent.kwargs))
        finally:
            restore(token)
        streamed = _streamed(live, result, SyncStream)
        if streamed is not None:
            return streamed
        if adapter.load is not None:
            adapter.load(result)
        return run_sync(live.output(result))
    except BaseException as error:
        live.fail(error)
        raise


async def run_call_async(adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation) -> Any:
    live = LiveCall(adapter, pipeline, invocation)
    try:
        sent = await run_async(live.input(invocation)) if live.asks else invocation
        token = live.attach()
        try:
            result = live.buffer_response(await wrapped(*sent.args, **sent.kwargs))
        finally:
            restore(token)
        streamed = _streamed(live, result, AsyncStream)
        if streamed is not None:
            return streamed
        loading = None if adapter.load is None else adapter.load(result)
        if loading is not None:
            await loading
        return await run_async(live.output(result))
    except BaseException as error:
        live.fail(error)
        raise


async def generate_async(
    adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation
) -> AsyncIterator[Any]:
    async def begun(*args: Any, **kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    async for chunk in await run_call_async(adapter, pipeline, begun, invocation):
        yield chunk


def managed(adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation) -> Any:
    """The ``with`` block that ``wrapped`` makes, to be a model call once it is entered."""
    manager = wrapped(*invocation.args, **invocation.kwargs)
    kind, through = (AsyncManager, run_call_async) if hasattr(manager, "__aenter__") else (SyncManager, run_call)

    def entered(enter: Called) -> Any:
        return through(adapter, pipeline, enter, invocation)

    return kind(manager, wrapped, invocation, entered)


def _streamed(live: LiveCall, result: Any, watched: type[SyncStream | AsyncStream]) -> Any | None:
    """Return the answer with its stream watched; None when it has none.

    Raises:
        Blocked: its stream cannot be watched, and a clause fails closed.
    """
    if live.adapter.stream_in is None:
        return None
    try:
        stream = live.adapter.stream_in(result)
        return None if stream is None else live.adapter.put_stream(result, watched(stream, StreamedCall(live)))
    except Exception as error:
        live.rule_failure("instrument.stream", error, AFTER_CALL)
    live.end(COMPLETED)
    return result
