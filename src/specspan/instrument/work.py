"""One call of a decorated function: its span, current while the body runs, ended exactly once."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.trace import set_span_in_context

from specspan.call import Attribute
from specspan.guard import guard
from specspan.instrument.context import current_context, restore
from specspan.instrument.generators import first_step, relay, relay_async
from specspan.record.model import Ending, EndKind
from specspan.record.recorder import Recorder


def once() -> Callable[[], bool]:
    """A function that says True the first time it is asked, on whichever thread that is."""
    return partial(next, iter((True,)), False)  # noqa: FBT003 - stepping an iterator is atomic


leave = restore
"""Detaches what was attached to OpenTelemetry's context, silently where that is not possible."""

COMPLETED = Ending(EndKind.COMPLETED)
CLOSED = Ending(EndKind.CLOSED)
ABANDONED = Ending(EndKind.ABANDONED)


def ending_of(error: BaseException | None) -> Ending:
    """How work ended that ``error`` left, or nothing did."""
    if error is None or isinstance(error, (StopIteration, StopAsyncIteration)):
        return COMPLETED
    return CLOSED if isinstance(error, GeneratorExit) else Ending.of(error)


class Work:
    """One call of a decorated function, coroutine function, or a body that takes turns.

    As a context manager it is the whole of a call: the span is current inside and ended with the block.
    """

    __slots__ = ("_first", "_recorder", "_span", "_token")

    def __init__(self, recorder: Recorder, name: str, attributes: Mapping[str, Attribute]) -> None:
        self._first = once()
        self._recorder = recorder
        self._span = recorder.start_work(name, current_context(), attributes)
        self._token = otel_context.attach(set_span_in_context(self._span))

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        leave(self._token)
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
            leave(self._token)

    def end(self, ending: Ending) -> None:
        """End the span; only the first ending counts."""
        if self._first():
            with guard("instrument.end_work"):
                self._recorder.end_work(self._span, ending)


class Reader:
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


class Driven:
    """A generator's body, sync or async, that a generator of ours drives (`specspan.instrument.generators`)."""

    __slots__ = ("__weakref__", "body", "reader")

    def __init__(self) -> None:
        self.body: Any = None
        self.reader = Reader()


def driven(turns: Any, called: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """The generator that drives ``turns``, a `Driven`, whose body is what the generator function ``called`` gives.

    The driver is made first: in a reference cycle the garbage collector finalises both, usually the elder first, and
    that closes the body where it belongs, in its own context. It promises no order, to undecorated generators neither:
    a ``with`` block in the body may be left before the body is told.
    """
    relayed = relay_async if inspect.isasyncgenfunction(called) else relay
    driver = relayed(copy_context(), turns)
    turns.body = called(*args, **kwargs)
    turns.reader.holds(driver)
    return named_like(called, driver)


def named_like(function: Callable[..., Any], made: Any) -> Any:
    """Give a coroutine or generator of ours the name of the function's own, for warnings and tracebacks."""
    made.__name__ = getattr(function, "__name__", made.__name__)
    made.__qualname__ = getattr(function, "__qualname__", made.__qualname__)
    return made


class Body(Driven):
    """One whose span starts with its first turn."""

    __slots__ = ("_begin", "_work")

    def __init__(self, begin: Callable[[], Work]) -> None:
        super().__init__()
        self._begin = begin
        self._work: Work | None = None

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
            return await (first_step(self.body) if first else self.body.asend(value))

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
