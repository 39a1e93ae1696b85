"""Running the body of a generator inside a context of its own.

A generator's body and its consumer take turns on one thread. What the body sets in `contextvars`, above all
OpenTelemetry's current span, must not be seen by the consumer; and a span that the body made current on one turn must
be put back on a later one, wherever that turn runs: another task, another thread, the garbage collector. So every turn
of the body runs inside one `contextvars.Context`, copied when the generator function was called.

What is handed to the consumer is a real generator all the same, so that closing, collection and ``inspect`` work as
they do for any other.
"""

from __future__ import annotations

import sys
import types
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Protocol


class Turns(Protocol):
    """A body that takes turns: a generator, or a coroutine."""

    def send(self, value: Any, /) -> Any:
        """Run to the next value it yields."""

    def throw(self, error: BaseException, /) -> Any:
        """The same, with ``error`` raised where it stands."""


class AsyncTurns(Protocol):
    """A body whose turns are awaited."""

    def asend(self, value: Any, /) -> Coroutine[Any, Any, Any]:
        """Run to the next value it yields."""

    def athrow(self, error: BaseException, /) -> Coroutine[Any, Any, Any]:
        """The same, with ``error`` raised where it stands."""


def relay(context: Context, turns: Turns) -> Generator[Any, Any, Any]:
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


async def relay_async(context: Context, turns: AsyncTurns) -> AsyncGenerator[Any, Any]:
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
def _within(context: Context, turns: Turns) -> Generator[Any, Any, Any]:
    """``await turns``, with every turn of it run inside ``context``."""
    return (yield from relay(context, turns))


def first_step(agen: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
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
