"""Functions that are model calls, whose results decide how the call goes on."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator
from typing import Any

import pytest
from ended_spans import Spans
from spoken_models import clause

from specspan.decision import Action
from specspan.errors import Blocked
from specspan.instrument.decorators import observe
from specspan.testing.memory import recorded

SECRET = "123-45-6789"
PIECES = ("mine is ", SECRET, " you know")
TEXT = "".join(PIECES)
model = observe(model="parrot")


def through(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function as a retry or a cache does."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def pieces() -> Generator[str, Any, None]:
    yield from PIECES


async def pieces_later() -> AsyncGenerator[str, Any]:
    for piece in PIECES:
        yield piece


async def text_later() -> str:
    return TEXT


class AsyncPieces:
    """Asynchronous iterable that is no iterator itself."""

    def __aiter__(self) -> AsyncIterator[str]:
        return pieces_later()


class Later:
    """Object that is called like a coroutine function."""

    async def __call__(self) -> str:
        return TEXT


class LaterText:
    """Awaitable that is no coroutine."""

    def __await__(self) -> Generator[Any, Any, str]:
        return text_later().__await__()


async def generator_later() -> Iterator[str]:
    return pieces()


async def async_generator_later() -> AsyncIterator[str]:
    return pieces_later()


STREAMS: dict[str, Callable[[], Any]] = {
    "generator": through(pieces),
    "iterator": lambda: iter(PIECES),
    "map": lambda: map(str, PIECES),
    "async generator": through(pieces_later),
    "async iterable": through(AsyncPieces),
    "awaited generator": generator_later,
    "awaited async generator": async_generator_later,
    "decorated coroutine of a generator": through(generator_later),
    "decorated coroutine of an async generator": through(async_generator_later),
}
TEXTS: dict[str, Callable[[], Any]] = {
    "decorated coroutine": through(text_later),
    "partial": functools.partial(text_later),
    "object": Later(),
    "decorated object": through(Later()),
    "awaitable": through(LaterText),
    "task": lambda: asyncio.ensure_future(text_later()),
}


def read(function: Callable[[], Any], seen: list[str]) -> None:
    """Read all that a function gives, whatever it returns."""

    async def main() -> None:
        result = function()
        if inspect.isawaitable(result):
            result = await result
        if isinstance(result, str):
            seen.append(result)
        elif hasattr(result, "__aiter__"):
            result = aiter(result)
            while (piece := await anext(result, None)) is not None:
                seen.append(piece)
        else:
            seen.extend(result)

    asyncio.run(main())


@pytest.mark.parametrize("kind", STREAMS)
def test_a_returned_stream_is_cut(kind: str) -> None:
    """The first piece is handed over, and `Blocked` is raised in place of the second."""
    seen: list[str] = []
    with recorded(clause(Action.BLOCK)) as record, pytest.raises(Blocked):
        read(model(STREAMS[kind]), seen)
    assert seen == ["mine is "]
    assert [(each["verdict"], each["action"]) for each in record.decisions] == [("violated", "block")]
    assert len(record.spans) == 1


@pytest.mark.parametrize("kind", STREAMS)
def test_a_returned_stream_that_complies_passes(kind: str, spans: Spans) -> None:
    """Every piece is handed over, and the call ends with the last one."""
    seen: list[str] = []
    read(model(STREAMS[kind]), seen)
    assert (tuple(seen), spans.ending("chat parrot")) == (PIECES, "completed")


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_that_is_awaited_is_decided(kind: str) -> None:
    """`Blocked` is raised in place of the text, and under another policy the text is edited."""
    seen: list[str] = []
    with recorded(clause(Action.BLOCK)) as record, pytest.raises(Blocked):
        read(model(TEXTS[kind]), seen)
    assert (seen, [each["action"] for each in record.decisions]) == ([], ["block"])
    with recorded(clause(Action.REDACT)):
        read(model(TEXTS[kind]), seen)
    assert seen == ["mine is [redacted:ssn] you know"]


def test_a_generator_is_still_a_generator() -> None:
    """What is sent and thrown into it reaches its body, and what comes back is watched."""

    def echo() -> Generator[str, Any, None]:
        heard = yield "ready"
        try:
            yield heard
        except KeyError:
            yield SECRET

    with recorded(clause(Action.BLOCK)):
        said: Any = model(through(echo))()
        assert bool(inspect.isgenerator(said)) is True
        assert (next(said), said.send("hello")) == ("ready", "hello")
        with pytest.raises(Blocked):
            said.throw(KeyError())


def test_an_async_generator_is_still_one() -> None:
    """What is sent and thrown into it reaches its body, and what comes back is watched."""

    async def echo() -> AsyncGenerator[str, Any]:
        heard = yield "ready"
        try:
            yield heard
        except KeyError:
            yield SECRET

    async def main() -> None:
        said: Any = model(through(echo))()
        assert bool(inspect.isasyncgen(said)) is True
        assert (await anext(said), await said.asend("hello")) == ("ready", "hello")
        with pytest.raises(Blocked):
            await said.athrow(KeyError())

    with recorded(clause(Action.BLOCK)):
        asyncio.run(main())


@pytest.mark.parametrize("kind", ["generator", "iterator", "decorated coroutine"])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_a_result_that_nobody_reads_ends_the_call(kind: str, spans: Spans) -> None:
    """The span of a stream that is not read, or of a coroutine that is not awaited, is ended when it is let go of."""
    model({**STREAMS, **TEXTS}[kind])()
    gc.collect()
    assert spans.ending("chat parrot") == "abandoned"


def test_work_in_a_returned_generator_is_below_the_call(spans: Spans) -> None:
    """The span is current in the body, and not for the one who reads it."""

    def work() -> Iterator[str]:
        spans.tracer.start_span("work").end()
        yield "hello"

    for _ in model(through(work))():
        spans.tracer.start_span("reader").end()
    assert (spans.parent_of("work"), spans.parent_of("reader")) == ("chat parrot", None)


def test_an_error_in_what_is_awaited_passes(spans: Spans) -> None:
    """The same error reaches the caller, and the call has failed."""

    async def fails() -> str:
        raise KeyError("x")

    with pytest.raises(KeyError):
        read(model(through(fails)), [])
    assert (spans.all[0].attributes or {})["error.type"] == "KeyError"


def test_a_task_goes_on_whoever_waits() -> None:
    """A function that starts a task gives a task, which is decided and can be cancelled."""

    async def main() -> list[Any]:
        started: Awaitable[Any] = model(TEXTS["task"])()
        assert isinstance(started, asyncio.Task)
        await asyncio.wait([started])
        forever = model(lambda: asyncio.ensure_future(asyncio.Event().wait()))()
        await asyncio.sleep(0)
        forever.cancel()
        await asyncio.wait([forever])
        return [type(started.exception()), forever.cancelled()]

    with recorded(clause(Action.BLOCK)):
        assert asyncio.run(main()) == [Blocked, True]
