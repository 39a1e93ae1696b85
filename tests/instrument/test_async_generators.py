"""Decorated async generators: the cases that leak spans or contexts elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from typing import Any

import pytest
from cancelling import cancel_reader
from ended_spans import Spans
from generated_words import Words

from specspan.instrument.decorators import observe

setting: ContextVar[str] = ContextVar("setting", default="outside")


async def test_an_async_full_read(words: Words, spans: Spans) -> None:
    """Spans in an async body are below the generator's, the consumer's are not."""
    seen = []
    with spans.tracer.start_as_current_span("consumer"):
        async for word in words.later():
            seen.append(word)
            spans.tracer.start_span(f"consumed {word}").end()
    assert seen == ["w0", "w1", "w2"]
    words.check("completed", read=3)
    assert spans.parent_of("words") == "consumer"
    assert [spans.parent_of(f"consumed {word}") for word in seen] == ["consumer"] * 3


async def test_an_async_early_break(words: Words) -> None:
    """An async generator let go of half-way is closed by its loop, and was abandoned."""
    async for _ in words.later():
        break
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    words.check("abandoned", read=1)


async def test_an_async_cycle_collected(spans: Spans, one_generation: None) -> None:
    """In a reference cycle, body and generator are finalised together; still it is the loop that closes them, once."""

    @observe(name="body")
    async def body() -> AsyncGenerator[int, None]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            spans.tracer.start_span("cleanup").end()

    reader = body()
    await anext(reader)
    cycle: list[Any] = [reader]
    cycle.append(cycle)
    del cycle, reader
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()  # tells of tasks whose errors nobody saw
    assert spans.ending("body") == "abandoned"
    assert spans.parent_of("cleanup") == "body"


async def test_async_close(words: Words) -> None:
    """Closing is told from letting go."""
    async with contextlib.aclosing(words.later()) as reader:
        assert await anext(reader) == "w0"
    words.check("closed", read=1)


async def test_async_close_in_another_task(words: Words) -> None:
    """Closed by another task, the body still cleans up in its own context."""
    reader = words.later()
    await anext(reader)
    await asyncio.create_task(reader.aclose())
    words.check("closed", read=1)


async def test_every_turn_in_another_task(words: Words) -> None:
    """An async generator read by many tasks keeps its context from turn to turn."""
    reader = words.later()

    async def turn() -> str:
        return await anext(reader, "end")

    assert [await asyncio.create_task(turn()) for _ in range(4)] == ["w0", "w1", "w2", "end"]
    words.check("completed", read=3)


async def test_an_exception_in_the_consumers_async_with(words: Words) -> None:
    """A consumer's own failure is not the generator's."""

    async def consume() -> None:
        async with contextlib.aclosing(words.later()) as reader:
            await anext(reader)
            raise LookupError

    with pytest.raises(LookupError):
        await consume()
    words.check("closed", read=1)


async def test_async_cancellation(spans: Spans) -> None:
    """A body that is cancelled while it waits passes that on, and its span was cancelled."""
    cancelled = []

    @observe(name="waiting")
    async def waiting() -> AsyncGenerator[int, None]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            cancelled.append(error)
            spans.tracer.start_span("told").end()
            raise

    await cancel_reader(waiting())
    assert len(cancelled) == 1
    assert spans.parent_of("told") == "waiting"
    assert spans.ending("waiting") == "CancelledError"


async def test_an_exception_from_an_async_body(spans: Spans) -> None:
    """The body's exception is the same object and fails the span."""
    error = LookupError("no more")
    words = Words(spans, error)
    with pytest.raises(LookupError) as caught:
        async for _ in words.later(1):
            pass
    assert caught.value is error
    words.check("LookupError", read=1)


async def test_asend_and_athrow(spans: Spans) -> None:
    """What is sent arrives, what is thrown can be caught, and what is not caught comes back out unchanged."""

    @observe(name="echo")
    async def echo() -> AsyncGenerator[object, object]:
        heard: object = None
        while True:
            try:
                heard = yield heard
            except KeyError as error:
                heard = error

    reader = echo()
    assert await anext(reader) is None
    assert await reader.asend("a") == "a"
    thrown = KeyError()
    assert await reader.athrow(thrown) is thrown
    error = ValueError()
    with pytest.raises(ValueError) as caught:
        await reader.athrow(error)
    assert caught.value is error
    assert spans.ending("echo") == "ValueError"


async def test_an_async_body_that_yields_when_closed(spans: Spans) -> None:
    """A body that ignores being closed raises what the undecorated one raises."""

    @observe(name="stubborn")
    async def stubborn() -> AsyncGenerator[int, None]:
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    reader = stubborn()
    await anext(reader)
    with pytest.raises(RuntimeError, match="async generator ignored GeneratorExit"):
        await reader.aclose()


async def test_async_reentrance(spans: Spans) -> None:
    """Two readers at once get the same error as undecorated."""

    async def slow() -> AsyncGenerator[int, None]:
        await asyncio.sleep(0)
        yield 1

    async def both(reader: AsyncGenerator[int, None]) -> BaseException:
        results = await asyncio.gather(anext(reader), anext(reader), return_exceptions=True)
        (error,) = [result for result in results if isinstance(result, BaseException)]
        await reader.aclose()
        return error

    undecorated, decorated = await both(slow()), await both(observe(slow)())
    assert (type(decorated), decorated.args) == (type(undecorated), undecorated.args)


async def test_current_task_and_timeouts_work_in_an_async_body(spans: Spans) -> None:
    """The body runs in its consumer's task, so that asyncio's own machinery works in it."""

    @observe
    async def body() -> AsyncGenerator[object, None]:
        yield asyncio.current_task()
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        except asyncio.TimeoutError:
            yield "timeout"

    assert [found async for found in body()] == [asyncio.current_task(), "timeout"]


def test_an_async_generator_collected_after_its_loop_was_closed(spans: Spans) -> None:
    """Nobody can close it any more; its span is ended all the same."""

    @observe(name="orphan")
    async def orphan() -> AsyncGenerator[int, None]:
        yield 1

    async def begin() -> AsyncGenerator[int, None]:
        reader = orphan()
        await anext(reader)
        return reader

    loop = asyncio.new_event_loop()
    reader = loop.run_until_complete(begin())
    loop.close()
    assert spans.all == ()
    del reader
    gc.collect()
    assert spans.ending("orphan") == "abandoned"


def test_an_async_generator_driven_by_hand(words: Words) -> None:
    """Without an event loop's hooks, collection closes the body on the spot, as without the decorator."""

    @observe(name="words")
    async def quick() -> AsyncGenerator[int, None]:
        try:
            with words.spans.tracer.start_as_current_span("nested"):
                yield 1
        finally:
            words.cleaned_up += 1
            words.spans.tracer.start_span("cleanup").end()

    reader = quick()
    with pytest.raises(StopIteration) as first:
        reader.asend(None).send(None)
    assert first.value.value == 1
    del reader
    gc.collect()
    words.check("abandoned", read=0)
