"""The one wrapper around every provider's methods. Only `call` and `call_async` exist twice: the one that awaits.

A method that is itself an async generator makes its call when its first chunk is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

from specspan.engine.steps import arun, run
from specspan.guard import contain
from specspan.instrument.adapter import Adapter, Choose, Invocation
from specspan.instrument.flow import Flow
from specspan.instrument.lifecycle import LiveCall, passed_by
from specspan.instrument.managers import AsyncManager, SyncManager
from specspan.instrument.pipeline import Pipeline, active
from specspan.instrument.streams import AsyncStream, SyncStream
from specspan.instrument.work import leave

Called = Callable[..., Any]
Wrapper = Callable[[Called, Any, tuple[Any, ...], dict[str, Any]], Any]


def wrapper_of(adapter: Adapter, method: Called) -> Wrapper:
    """A `wrapt` wrapper that makes every call of a method a model call."""
    function = inspect.unwrap(method)
    through: Callable[..., Any] = call
    if adapter.on_entry:
        through = managed
    elif inspect.isasyncgenfunction(function):
        through = generate_async
    elif inspect.iscoroutinefunction(function):
        through = call_async

    def wrapper(wrapped: Called, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pipeline = active()
        if pipeline is None:
            return wrapped(*args, **kwargs)
        chosen = adapter if adapter.choose is None else _chosen(adapter.choose, instance, args, kwargs)
        if chosen is None or passed_by(chosen.package):
            return wrapped(*args, **kwargs)
        return through(chosen, pipeline, wrapped, chosen.prepare(Invocation(instance, args, kwargs)))

    return wrapper


def _chosen(choose: Choose, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Adapter | None:
    try:
        return choose(instance, args, kwargs)
    except Exception as error:
        contain("instrument.choose", error)
        return None


def call(adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation) -> Any:
    live = LiveCall(adapter, pipeline, invocation)
    try:
        sent = run(live.input(invocation)) if live.asks else invocation
        token = live.attach()
        try:
            result = live.kept(wrapped(*sent.args, **sent.kwargs))
        finally:
            leave(token)
        streamed = _streamed(live, result, SyncStream)
        if streamed is not None:
            return streamed
        if adapter.load is not None:
            adapter.load(result)
        return run(live.output(result))
    except BaseException as error:
        live.left_by(error)
        raise


async def call_async(adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation) -> Any:
    live = LiveCall(adapter, pipeline, invocation)
    try:
        sent = await arun(live.input(invocation)) if live.asks else invocation
        token = live.attach()
        try:
            result = live.kept(await wrapped(*sent.args, **sent.kwargs))
        finally:
            leave(token)
        streamed = _streamed(live, result, AsyncStream)
        if streamed is not None:
            return streamed
        loading = None if adapter.load is None else adapter.load(result)
        if loading is not None:
            await loading
        return await arun(live.output(result))
    except BaseException as error:
        live.left_by(error)
        raise


async def generate_async(
    adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation
) -> AsyncIterator[Any]:
    async def begun(*args: Any, **kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    async for chunk in await call_async(adapter, pipeline, begun, invocation):
        yield chunk


def managed(adapter: Adapter, pipeline: Pipeline, wrapped: Called, invocation: Invocation) -> Any:
    """The ``with`` block that ``wrapped`` makes, to be a model call once it is entered."""
    manager = wrapped(*invocation.args, **invocation.kwargs)
    kind, through = (AsyncManager, call_async) if hasattr(manager, "__aenter__") else (SyncManager, call)

    def entered(enter: Called) -> Any:
        return through(adapter, pipeline, enter, invocation)

    return kind(manager, wrapped, invocation, entered)


def _streamed(live: LiveCall, result: Any, watched: type[SyncStream | AsyncStream]) -> Any | None:
    """The answer with its stream watched; None when it has none."""
    if live.adapter.stream_in is None:
        return None
    try:
        stream = live.adapter.stream_in(result)
        if stream is not None:
            return live.adapter.put_stream(result, watched(stream, Flow(live)))
    except Exception as error:
        contain("instrument.stream", error)
    return None
