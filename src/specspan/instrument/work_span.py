"""One call of a decorated function: its span, current while the body runs, ended exactly once."""

from __future__ import annotations

import inspect
import sys
import types
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, copy_context
from functools import partial
from types import TracebackType
from typing import Any, Protocol

from opentelemetry import context as otel_context
from opentelemetry.trace import set_span_in_context

from specspan._support.guard import guard
from specspan.call import Attribute
from specspan.instrument.context import current_context, restore
from specspan.record.call_end import Ending, EndKind
from specspan.record.recorder import Recorder

# MERGED generators: Running the body of a generator inside a context of its own.
#
# A generator's body and its consumer take turns on one thread. What the body sets in `contextvars`, above all
# OpenTelemetry's current span, must not be seen by the consumer; and a span that the body made current on one turn must
# be put back on a later one, wherever that turn runs: another task, another thread, the garbage collector. So every
# turn
# of the body runs inside one `contextvars.Context`, copied when the generator function was called.
#
# What is handed to the consumer is a real generator all the same, so that closing, collection and ``inspect`` work as
# they do for any other.


class Resumable(Protocol):
    """A body that takes turns: a generator, or a coroutine."""

    def send(self, value: Any, /) -> Any:
        """Run to the next value it yields."""

    def throw(self, error: BaseException, /) -> Any:
        """The same, with ``error`` raised where it stands."""


class AsyncResumable(Protocol):
    """A body whose turns are awaited."""

    def asend(self, value: Any, /) -> Coroutine[Any, Any, Any]:
        """Run to the next value it yields."""

    def athrow(self, error: BaseException, /) -> Coroutine[Any, Any, Any]:
        """The same, with ``error`` raised where it stands."""


def generate_in_context(context: Context, turns: Resumable) -> Generator[Any, Any, Any]:
    """A generator that is to its consumer what ``turns`` is, with every turn run inside ``context``."""
    step: Callable[[Any], Any] = turns.send
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
            step = turns.send
        except BaseException as error:
            value = error
            step = turns.throw


async def generate_in_context_async(context: Context, turns: AsyncResumable) -> AsyncGenerator[Any, Any]:
    """The same for an async generator."""
    step: Callable[[Any], Coroutine[Any, Any, Any]] = turns.asend
    value: Any = None
    while True:
        try:
            item = await _within(context, step(value))
        except StopAsyncIteration:
            return
        finally:
            value = None
        try:
            value = yield item
            step = turns.asend
        except BaseException as error:
            value = error
            step = turns.athrow


@types.coroutine
def _within(context: Context, turns: Resumable) -> Generator[Any, Any, Any]:
    """``await turns``, with every turn of it run inside ``context``."""
    return (yield from generate_in_context(context, turns))


def start_async_generator(agen: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """``agen.asend(None)``, the first, of an async generator that only another one drives and closes.

    An event loop closes the async generators that were let go of, each in a task of its own. The one that drives
    ``agen`` is closed so and passes it on; it must not happen to ``agen`` a second time, out of its context.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=_leave_to_driver)
    try:
        return agen.asend(None)  # this is when an async generator takes its hooks
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _leave_to_driver(agen: AsyncGenerator[Any, Any]) -> None:
    """Nothing: the driver still holds ``agen``, and the loop closes the driver."""


def once_flag() -> Callable[[], bool]:
    """A function that says True the first time it is asked, on whichever thread that is."""
    return partial(next, iter((True,)), False)  # noqa: FBT003 - stepping an iterator is atomic


COMPLETED = Ending(EndKind.COMPLETED)
CLOSED = Ending(EndKind.CLOSED)
ABANDONED = Ending(EndKind.ABANDONED)


def ending_of(error: BaseException | None) -> Ending:
    """How work ended that ``error`` left, or nothing did."""
    if error is None or isinstance(error, (StopIteration, StopAsyncIteration)):
        return COMPLETED
    return CLOSED if isinstance(error, GeneratorExit) else Ending.from_error(error)


class WorkSpan:
    """One call of a decorated function, coroutine function, or a body that takes turns.

    As a context manager it is the whole of a call: the span is current inside and ended with the block.
    """

    __slots__ = ("_first", "_recorder", "_span", "_token")

    def __init__(self, recorder: Recorder, name: str, attributes: Mapping[str, Attribute]) -> None:
        self._first = once_flag()
        self._recorder = recorder
        self._span = recorder.start_work(name, current_context(), attributes)
        self._token = otel_context.attach(set_span_in_context(self._span))

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        restore(self._token)
        self.end(ending_of(error))

    @contextmanager
    def begun(self) -> Iterator[None]:
        """Around what only begins it: the span is current inside, and ended by what leaves the block."""
        try:
            yield
        except BaseException as error:
            self.end(ending_of(error))
            raise
        finally:
            restore(self._token)

    def end(self, ending: Ending) -> None:
        """End the span; only the first ending counts."""
        if self._first():
            with guard("instrument.end_work"):
                self._recorder.end_work(self._span, ending)


class Consumer:
    """Whoever reads a generator of ours: tells how it was left. Knows neither the generator nor its body."""

    __slots__ = ("_closing", "_driver")

    def __init__(self) -> None:
        self._closing = False
        self._driver: weakref.ref[Any] | None = None

    def holds(self, driver: Any) -> None:
        """``driver`` is what it holds."""
        # only one with a callback is sure to die before finalisers run, on every version of Python
        self._driver = weakref.ref(driver, lambda _: None)

    def throws(self, error: BaseException) -> None:
        """``error`` is about to be thrown into the body."""
        self._closing = isinstance(error, GeneratorExit)

    def ending(self, error: BaseException | None) -> Ending:
        """How work ended that ``error`` left."""
        if self._closing or isinstance(error, GeneratorExit):
            # closed or only let go of: the body is told the same, but weak references die before finalisation
            return CLOSED if self._driver is not None and self._driver() is not None else ABANDONED
        return ending_of(error)


class GeneratorBody:
    """A generator's body, sync or async, that a generator of ours drives (`specspan.instrument.work_span`)."""

    __slots__ = ("__weakref__", "body", "reader")

    def __init__(self) -> None:
        self.body: Any = None
        self.reader = Consumer()


def drive(turns: Any, called: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Return a generator that drives ``turns``, a `GeneratorBody` around what ``called`` returns.

    The driver is made first: in a reference cycle the garbage collector finalises both, usually the elder first, and
    that closes the body where it belongs, in its own context. It promises no order, to undecorated generators neither:
    a ``with`` block in the body may be left before the body is told.
    """
    relayed = generate_in_context_async if inspect.isasyncgenfunction(called) else generate_in_context
    driver = relayed(copy_context(), turns)
    turns.body = called(*args, **kwargs)
    turns.reader.holds(driver)
    return name_after(called, driver)


def name_after(function: Callable[..., Any], made: Any) -> Any:
    """Give a coroutine or generator of ours the name of the function's own, for warnings and tracebacks."""
    made.__name__ = getattr(function, "__name__", made.__name__)
    made.__qualname__ = getattr(function, "__qualname__", made.__qualname__)
    return made


class Body(GeneratorBody):
    """One whose span starts with its first turn."""

    __slots__ = ("_begin", "_work")

    def __init__(self, begin: Callable[[], WorkSpan]) -> None:
        super().__init__()
        self._begin = begin
        self._work: WorkSpan | None = None

    def send(self, value: Any) -> Any:
        with self:
            return self.body.send(value)

    def throw(self, error: BaseException) -> Any:
        self.reader.throws(error)
        with self:
            return self.body.throw(error)

    async def asend(self, value: Any) -> Any:
        first = self._work is None
        with self:
            return await (start_async_generator(self.body) if first else self.body.asend(value))

    async def athrow(self, error: BaseException) -> Any:
        self.reader.throws(error)
        with self:
            return await self.body.athrow(error)

    def __enter__(self) -> None:
        if self._work is None:
            self._work = self._begin()
            # an async generator that outlives its event loop is never closed: its frame just goes, and this with it
            weakref.finalize(self, self._work.end, ABANDONED)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None and self._work is not None:
            self._work.end(self.reader.ending(error))
