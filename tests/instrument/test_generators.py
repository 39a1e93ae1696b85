"""Decorated generators: the cases that leak spans or contexts elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

import pytest
from ended_spans import Spans
from generated_words import Words

from specspan.instrument.decorators import observe

setting: ContextVar[str] = ContextVar("setting", default="outside")


def test_a_full_read(words: Words, spans: Spans) -> None:
    """Spans in the body are below the generator's, the consumer's are not, and the return value comes through."""

    def consumer() -> Generator[str, Any, str]:
        return (yield from words.sync())

    reader = consumer()
    seen = []
    with spans.tracer.start_as_current_span("consumer"), contextlib.suppress(StopIteration):
        while True:
            seen.append(next(reader))
            spans.tracer.start_span(f"consumed {len(seen)}").end()
    assert seen == ["w0", "w1", "w2"]
    words.check("completed", read=3)
    assert [spans.parent_of(f"consumed {number}") for number in (1, 2, 3)] == ["consumer"] * 3


def test_the_parent_is_where_it_was_called(words: Words, spans: Spans) -> None:
    """The span of a generator is below the span in which it was called, not the one in which it is read."""
    with spans.tracer.start_as_current_span("caller"):
        reader = words.sync()
    with spans.tracer.start_as_current_span("reader"):
        assert list(reader) == ["w0", "w1", "w2"]
    assert spans.parent_of("words") == "caller"


def test_the_return_value_is_the_bodys(words: Words) -> None:
    """``yield from`` gives what the body returned."""
    reader = words.sync(0)
    with pytest.raises(StopIteration) as stop:
        next(reader)
    assert stop.value.value == "result"


def test_a_generator_that_was_never_started_makes_no_span(words: Words, spans: Spans) -> None:
    """Nothing ran, so there is nothing to tell; closing it changes that not."""
    words.sync().close()
    words.sync()

    async def main() -> None:
        await words.later().aclose()

    asyncio.run(main())
    gc.collect()
    assert spans.all == ()
    assert words.cleaned_up == 0


def test_wrong_arguments_raise_when_it_is_called(words: Words) -> None:
    """Arguments that do not fit are refused where they are given, as by the function itself."""
    with pytest.raises(TypeError, match="unexpected keyword"):
        words.sync(colour="red")  # type: ignore[call-arg]


def test_an_early_break(words: Words) -> None:
    """A reader that stops and lets go abandons the generator."""
    for word in words.sync():
        assert word == "w0"
        break
    words.check("abandoned", read=1)


def test_close(words: Words) -> None:
    """A reader that closes is told from one that lets go."""
    with contextlib.closing(words.sync()) as reader:
        assert next(reader) == "w0"
    words.check("closed", read=1)


def test_an_exception_in_the_consumers_with(words: Words) -> None:
    """A consumer's own failure is not the generator's."""

    def consume() -> None:
        with contextlib.closing(words.sync()) as reader:
            next(reader)
            raise LookupError

    with pytest.raises(LookupError):
        consume()
    words.check("closed", read=1)


def test_a_cycle_collected_by_the_garbage_collector(words: Words, one_generation: None) -> None:
    """A generator in a reference cycle is ended when the cycle is collected, and closes its body in its context."""
    reader = words.sync()
    next(reader)
    cycle: list[Any] = [reader]
    cycle.append(cycle)
    del cycle, reader
    gc.collect()
    words.check("abandoned", read=1)


def test_an_exception_from_the_body(spans: Spans) -> None:
    """The body's exception is the same object and fails the span."""
    error = LookupError("no more")
    words = Words(spans, error)
    reader = words.sync(1)
    next(reader)
    with pytest.raises(LookupError) as caught:
        next(reader)
    assert caught.value is error
    words.check("LookupError", read=1)


def test_send_and_throw(spans: Spans) -> None:
    """What is sent arrives, what is thrown can be caught, and what is not caught comes back out unchanged."""

    @observe(name="echo")
    def echo() -> Generator[object, object, None]:
        heard: object = None
        while True:
            try:
                heard = yield heard
            except KeyError as error:
                heard = error

    reader = echo()
    assert next(reader) is None
    assert reader.send("a") == "a"
    thrown = KeyError()
    assert reader.throw(thrown) is thrown
    assert reader.send("b") == "b"
    error = ValueError()
    with pytest.raises(ValueError) as caught:
        reader.throw(error)
    assert caught.value is error
    assert spans.ending("echo") == "ValueError"


def test_a_body_that_yields_when_closed(spans: Spans) -> None:
    """A body that ignores being closed raises what the undecorated one raises."""

    @observe(name="stubborn")
    def stubborn() -> Generator[int, None, None]:
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    reader = stubborn()
    next(reader)
    with pytest.raises(RuntimeError, match="generator ignored GeneratorExit"):
        reader.close()


def test_a_body_that_returns_when_closed_was_closed(spans: Spans) -> None:
    """Returning instead of passing on the request to close is no completion."""

    @observe(name="polite")
    def polite() -> Generator[int, None, None]:
        with contextlib.suppress(GeneratorExit):
            yield 1

    reader = polite()
    next(reader)
    reader.close()
    assert spans.ending("polite") == "closed"


def test_reentrance(spans: Spans) -> None:
    """A generator that resumes itself gets the same error as undecorated."""

    def selfish() -> Generator[int, None, None]:
        next(readers[-1])
        yield 1

    readers = [selfish()]
    with pytest.raises(ValueError) as undecorated:
        next(readers[0])
    readers.append(observe(selfish)())
    with pytest.raises(ValueError) as decorated:
        next(readers[-1])
    assert decorated.value.args == undecorated.value.args == ("generator already executing",)


def test_every_turn_on_another_thread(words: Words) -> None:
    """A generator read by a pool of threads keeps its context from turn to turn."""
    reader = words.sync()

    def turn(_: int) -> str:
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(next, reader, "end").result()

    assert [turn(number) for number in range(4)] == ["w0", "w1", "w2", "end"]
    words.check("completed", read=3)


def test_context_variables_of_the_body_stay_inside(spans: Spans) -> None:
    """What the body sets does not reach its consumer and is still set on its next turn."""

    @observe
    def body() -> Generator[str, None, None]:
        setting.set("inside")
        yield setting.get()
        yield setting.get()

    assert [(word, setting.get()) for word in body()] == [("inside", "outside")] * 2


def test_errors_thrown_in_are_let_go(spans: Spans) -> None:
    """A thrown exception is not kept alive by the generator it passed through."""

    @observe
    def body() -> Generator[int, None, None]:
        while True:
            try:
                yield 1
            except LookupError:
                pass

    reader = body()
    next(reader)
    error = LookupError()
    reader.throw(error)
    assert sys.getrefcount(error) == 2
    reader.close()
