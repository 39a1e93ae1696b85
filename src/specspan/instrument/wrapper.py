"""The one wrapper around the methods of every provider's clients.

Only `run_call` and `run_call_async` exist twice: one of them awaits. A method that is itself an async generator makes
its call when its first chunk is read. A method that returns a ``with`` block makes its call when the block is entered:
what is sent may be edited, and then the block is made anew.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, TypeAlias

from specspan._support.guard import contain
from specspan.engine.evaluation import AFTER_CALL
from specspan.engine.waiting import run_async, run_sync
from specspan.instrument.adapter import Adapter, Invocation
from specspan.instrument.context import restore
from specspan.instrument.dispatch import dispatch
from specspan.instrument.formats.buffered_arguments import buffer_iterators
from specspan.instrument.gate import Pipeline, pipeline_for_call
from specspan.instrument.generators import COMPLETED
from specspan.instrument.held_call import open_stream
from specspan.instrument.live_call import LiveCall
from specspan.instrument.proxies import ObjectProxy
from specspan.instrument.replacements import Function, Wrapper
from specspan.instrument.watched_streams import watch_stream

CallRunner: TypeAlias = Callable[[Adapter, Pipeline, Function, Invocation], Any]
"""Makes one call of a function as a model call."""
HandOver: TypeAlias = Callable[[LiveCall, Any], Any]
"""Has the result of a call decided, and returns what the application gets."""
AsyncHandOver: TypeAlias = Callable[[LiveCall, Any], Awaitable[Any]]


def wrap_client_method(adapter: Adapter, method: Function) -> Wrapper:
    """Return a wrapper that makes every call of a client's method a model call."""
    plain: CallRunner = run_call
    run: CallRunner = dispatch(
        inspect.unwrap(method),
        sync=plain,
        coroutine=run_call_async,
        generator=plain,
        async_generator=iterate_call_async,
    )
    return wrap_model_call(adapter, make_context_manager if adapter.on_entry else run, buffer_iterators)


def wrap_model_call(
    adapter: Adapter, run: CallRunner, buffer: Callable[[Invocation], Invocation] | None = None
) -> Wrapper:
    """Return a wrapper that has ``run`` make every call that is not to be left alone.

    ``buffer`` returns a copy of a call whose arguments can all be read twice. None: the adapter reads none but texts.
    """

    def wrapper(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pipeline = pipeline_for_call(package=adapter.package, is_inner=adapter.is_inner)
        if pipeline is None:
            return wrapped(*args, **kwargs)
        try:
            chosen = adapter if adapter.choose is None else adapter.choose(instance, args, kwargs)
        except Exception as error:
            contain("instrument.choose", error)
            fails_closed = pipeline.engine is not None and pipeline.engine.fails_closed
            chosen = _unreadable(adapter, error) if fails_closed else None  # it may be no model call
        if chosen is None:
            return wrapped(*args, **kwargs)
        invocation = Invocation(instance, args, kwargs)
        if buffer is not None:
            invocation = buffer(invocation)
        if chosen.prepare is not None:
            invocation = chosen.prepare(invocation)
        return run(chosen, pipeline, wrapped, invocation)

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


def run_call(
    adapter: Adapter, pipeline: Pipeline, wrapped: Function, invocation: Invocation, hand_over: HandOver | None = None
) -> Any:
    """Make a model call and return its answer.

    ``hand_over`` has the result decided and returns what the application gets of it: by default a client's answer, or
    its stream.

    Raises:
        Blocked: the policy stops it.
    """
    live = LiveCall(adapter, pipeline, invocation)
    try:
        sent = run_sync(live.input(invocation)) if live.asks else invocation
        token = live.attach()
        try:
            result = live.buffer_response(wrapped(*sent.args, **sent.kwargs))
        finally:
            restore(token)
        return (hand_over or _hand_over)(live, result)
    except BaseException as error:
        answer = live.answer_in(error)
        if answer is None:
            live.fail(error)
            raise
        carrier = error
    try:  # outside of the clause, so that what blocks the call does not lead to the answer
        run_sync(live.output_of_error(answer, carrier))
        raise carrier
    finally:
        del carrier


async def run_call_async(
    adapter: Adapter,
    pipeline: Pipeline,
    wrapped: Function,
    invocation: Invocation,
    hand_over: AsyncHandOver | None = None,
) -> Any:
    """Make a model call that is awaited, as `run_call` does."""
    live = LiveCall(adapter, pipeline, invocation)
    try:
        sent = await run_async(live.input(invocation)) if live.asks else invocation
        token = live.attach()
        try:
            result = live.buffer_response(await wrapped(*sent.args, **sent.kwargs))
        finally:
            restore(token)
        return await (hand_over or _hand_over_async)(live, result)
    except BaseException as error:
        answer = live.answer_in(error)
        if answer is None:
            live.fail(error)
            raise
        carrier = error
    try:
        await run_async(live.output_of_error(answer, carrier))
        raise carrier
    finally:
        del carrier


def _hand_over(live: LiveCall, result: Any) -> Any:
    streamed = _streamed(live, result, is_async=False)
    if streamed is not None:
        return streamed
    if live.adapter.load is not None:
        live.adapter.load(result)
    return run_sync(live.output(result))


async def _hand_over_async(live: LiveCall, result: Any) -> Any:
    streamed = _streamed(live, result, is_async=True)
    if streamed is not None:
        return streamed
    loading = None if live.adapter.load is None else live.adapter.load(result)
    if loading is not None:
        await loading
    return await run_async(live.output(result))


async def iterate_call_async(
    adapter: Adapter, pipeline: Pipeline, wrapped: Function, invocation: Invocation
) -> AsyncIterator[Any]:
    """Yield the chunks of a method that is an async generator function."""

    async def start(*args: Any, **kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    async for chunk in await run_call_async(adapter, pipeline, start, invocation):
        yield chunk


def make_context_manager(adapter: Adapter, pipeline: Pipeline, wrapped: Function, invocation: Invocation) -> Any:
    """Return the ``with`` block that ``wrapped`` returns, as one that makes a model call when it is entered."""
    manager = wrapped(*invocation.args, **invocation.kwargs)
    is_async = hasattr(manager, "__aenter__")
    run: CallRunner = run_call_async if is_async else run_call

    def call(enter: Function) -> Any:
        return run(adapter, pipeline, enter, invocation)

    return (AsyncManager if is_async else SyncManager)(manager, wrapped, invocation, call)


def _streamed(live: LiveCall, result: Any, *, is_async: bool) -> Any | None:
    """Return the answer with its stream watched; None when it has none.

    Raises:
        Blocked: its stream cannot be watched, and a clause fails closed.
    """
    streaming = live.adapter.streaming
    if streaming is None:
        return None
    call = None
    try:
        stream = streaming.find_stream(result)
        if stream is None:
            return None
        call = open_stream(live, streaming)
        watched = watch_stream(streaming, result, stream, call, is_async=is_async)
        return result if watched is stream else streaming.put_stream(result, watched)
    except Exception as error:
        live.rule_failure("instrument.stream", error, AFTER_CALL)
    if call is not None:
        call.let_through()
    live.end(COMPLETED)
    return result


class _Manager(ObjectProxy):
    """A client's ``with`` block whose entering is a model call."""

    def __init__(self, manager: Any, make: Function, invocation: Invocation, call: Callable[[Function], Any]) -> None:
        ObjectProxy.__init__(self, manager)
        self._self_make = make
        self._self_invocation = invocation
        self._self_call = call

    def _self_manager_for(self, kwargs: dict[str, Any]) -> Any:
        """Return the client's block, made anew where ``kwargs`` are not those that it was made with."""
        invocation = self._self_invocation
        if any(value is not invocation.kwargs.get(name) for name, value in kwargs.items()):
            _discard(self._self_wrapped)
            self._self_wrapped = self._self_make(*invocation.args, **kwargs)
        return self._self_wrapped


class SyncManager(_Manager):
    """A client's block that is entered with ``with``."""

    def __enter__(self) -> Any:
        return self._self_call(lambda **kwargs: self._self_manager_for(kwargs).__enter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> Any:
        return self._self_wrapped.__exit__(kind, error, tb)


class AsyncManager(_Manager):
    """A client's block that is entered with ``async with``."""

    async def __aenter__(self) -> Any:
        entered = False

        def enter(**kwargs: Any) -> Awaitable[Any]:
            nonlocal entered
            entered = True
            entering: Awaitable[Any] = self._self_manager_for(kwargs).__aenter__()
            return entering

        try:
            return await self._self_call(enter)
        finally:
            if not entered:
                _discard(self._self_wrapped)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> Any:
        return await self._self_wrapped.__aexit__(kind, error, tb)


def _discard(manager: Any) -> None:
    """Close the coroutine of a request that will not be made, so that nobody is warned of it."""
    for value in vars(manager).values():
        if inspect.iscoroutine(value):
            value.close()
