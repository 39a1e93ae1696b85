"""Running of a generator's body inside a context of its own.

A generator's body and its consumer take turns on one thread. What the body sets in `contextvars`, above all
OpenTelemetry's current span, must not be seen by the consumer; and a span that the body made current on one turn must
be put back on a later one, wherever that turn runs: another task, another thread, the garbage collector. So every turn
of the body runs inside one `contextvars.Context`, copied when the generator function was called.

The consumer is nevertheless given a real generator, so that closing, collection and ``inspect`` work as they do for any
other.
"""

from __future__ import annotations

import sys
import types
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from contextvars import Context, copy_context
from typing import Any, Protocol

from specspan.instrument.dispatch import dispatch
from specspan.record.call_end import Ending, EndKind

COMPLETED = Ending(EndKind.COMPLETED)
CLOSED = Ending(EndKind.CLOSED)
ABANDONED = Ending(EndKind.ABANDONED)


def ending_of(error: BaseException | None) -> Ending:
    """Return the ending of work that raised ``error``, or nothing."""
    if error is None or isinstance(error, (StopIteration, StopAsyncIteration)):
        return COMPLETED
    return CLOSED if isinstance(error, GeneratorExit) else Ending.from_error(error)


class Resumable(Protocol):
    """Generator or coroutine: a body that runs from one value to the next."""

    def send(self, value: Any, /) -> Any:
        """Run to the next value that the body yields."""

    def throw(self, error: BaseException, /) -> Any:
        """Raise ``error`` where the body stands, and run to the next value that it yields."""


class AsyncResumable(Protocol):
    """Async generator: a body whose turns are awaited."""

    def asend(self, value: Any, /) -> Coroutine[Any, Any, Any]:
        """Run to the next value that the body yields."""

    def athrow(self, error: BaseException, /) -> Coroutine[Any, Any, Any]:
        """Raise ``error`` where the body stands, and run to the next value that it yields."""


def generate_in_context(context: Context, body: Resumable) -> Generator[Any, Any, Any]:
    """Yield what ``body`` yields and pass on what the consumer sends, with every turn run inside ``context``."""
    step: Callable[[Any], Any] = body.send
    value: Any = None
    while True:
        try:
            item = context.run(step, value)
        except StopIteration as stop:
            return stop.value
        finally:
            value = None  # an error thrown in must not be kept alive by the frames of its own traceback
        try:
            value = yield item
            step = body.send
        except BaseException as error:
            value = error
            step = body.throw


async def generate_in_context_async(context: Context, body: AsyncResumable) -> AsyncGenerator[Any, Any]:
    """Yield what an async ``body`` yields, as `generate_in_context` does."""
    step: Callable[[Any], Coroutine[Any, Any, Any]] = body.asend
    value: Any = None
    while True:
        try:
            item = await _await_in_context(context, step(value))
        except StopAsyncIteration:
            return
        finally:
            value = None
        try:
            value = yield item
            step = body.asend
        except BaseException as error:
            value = error
            step = body.athrow


@types.coroutine
def _await_in_context(context: Context, body: Resumable) -> Generator[Any, Any, Any]:
    """Await ``body`` with every turn of it run inside ``context``."""
    return (yield from generate_in_context(context, body))


def start_async_generator(agen: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """Return the first ``agen.asend(None)`` of an async generator that only another one drives and closes.

    An event loop closes async generators that were let go of, each in a task of its own. The generator that drives
    ``agen`` is closed in this way, and closes ``agen`` itself. It must not happen to ``agen`` a second time, out of its
    context.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=_leave_to_driver)
    try:
        return agen.asend(None)  # this is when an async generator takes its hooks
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave_to_driver(agen: AsyncGenerator[Any, Any]) -> None:
    """Do nothing: the driver still holds ``agen``, and the loop closes the driver."""


class Consumer:
    """Record of how the consumer of a generator left it. It holds neither the generator nor its body."""

    __slots__ = ("_closing", "_driver")

    def __init__(self) -> None:
        self._closing = False
        self._driver: weakref.ref[Any] | None = None

    def given(self, driver: Any) -> None:
        """Note that the consumer was given ``driver``."""
        # only one with a callback is sure to die before finalisers run, on every version of Python
        self._driver = weakref.ref(driver, lambda _: None)

    def throws(self, error: BaseException) -> None:
        """Note that ``error`` is about to be thrown into the body."""
        self._closing = isinstance(error, GeneratorExit)

    def ending(self, error: BaseException | None) -> Ending:
        """Return the ending of work that raised ``error``, or nothing."""
        if self._closing or isinstance(error, GeneratorExit):
            # the body is told the same if it is only let go of, but weak references die before finalisation
            return CLOSED if self._driver is not None and self._driver() is not None else ABANDONED
        return ending_of(error)


class GeneratorBody:
    """Body of a generator, sync or async, as `drive` runs it."""

    __slots__ = ("__weakref__", "body", "consumer")

    def __init__(self) -> None:
        self.body: Any = None
        self.consumer = Consumer()


def drive(body: Any, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return a generator that drives ``body``, a `GeneratorBody` of what the generator function returns.

    The driver is made first: in a reference cycle the garbage collector finalises both, usually the elder first, and
    that closes the body where it belongs, in its own context. Python promises no order, for undecorated generators
    neither: a ``with`` block in the body may be left before the body is told.
    """
    generate: Any = dispatch(
        function,
        sync=generate_in_context,
        coroutine=generate_in_context,
        generator=generate_in_context,
        async_generator=generate_in_context_async,
    )
    driver = generate(copy_context(), body)
    body.body = function(*args, **kwargs)
    body.consumer.given(driver)
    return name_after(function, driver)


def drive_returned(body: Any, function: Callable[..., Any], returned: Any) -> Any:
    """Return a generator that drives ``body`` over a generator, sync or async, that ``function`` has returned."""
    generate: Any = generate_in_context_async if hasattr(returned, "asend") else generate_in_context
    driver = generate(copy_context(), body)
    body.body = returned
    body.consumer.given(driver)
    return name_after(function, driver)


def name_after(function: Callable[..., Any], made: Any) -> Any:
    """Return a coroutine or generator of ours under the name of ``function``, for warnings and tracebacks."""
    made.__name__ = getattr(function, "__name__", made.__name__)
    made.__qualname__ = getattr(function, "__qualname__", made.__qualname__)
    return made
