"""Generators that are model calls: how they are read and left, and what their bodies see."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from typing import Any

import pytest
from cancelling import cancel_reader
from ended_spans import Spans
from policies import Code, bound, policy
from spoken_models import Model

from specspan.decision import Stage
from specspan.instrument.decorators import observe
from specspan.testing.memory import recorded


class Slow:
    """A check that is waited for until it is let go."""

    def __init__(self, stage: Stage) -> None:
        self.looking = asyncio.Event()
        self.release = threading.Event()
        self._loop = asyncio.get_running_loop()
        self.policy = policy(bound("slow", Code(self._look, stage, timeout_s=5.0)))

    def _look(self, call: Any, texts: Any) -> bool:
        self._loop.call_soon_threadsafe(self.looking.set)
        return self.release.wait(5)

    async def cancel_while_it_looks(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        await asyncio.wait_for(self.looking.wait(), 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        self.release.set()


def test_the_body_is_below_the_call_and_the_consumer_is_not(spans: Spans) -> None:
    """Spans of the body are below the call's, the consumer's are not."""

    @observe(model="parrot")
    def model() -> Generator[str, None, None]:
        with spans.tracer.start_as_current_span("inside"):
            yield "word"

    for _ in model():
        spans.tracer.start_span("consumed").end()
    assert (spans.parent_of("inside"), spans.parent_of("consumed")) == ("chat parrot", None)


def test_generators_keep_their_protocol(spans: Spans) -> None:
    """Sending, throwing and the return value work as undecorated."""

    @observe(model="parrot")
    def model() -> Generator[Any, Any, str]:
        heard = None
        while heard != "stop":
            try:
                heard = yield heard
            except KeyError as error:
                heard = error
        return "result"

    reader = model()
    assert next(reader) is None
    assert reader.send("a") == "a"
    error = KeyError()
    assert reader.throw(error) is error
    with pytest.raises(StopIteration) as stop:
        reader.send("stop")
    assert stop.value.value == "result"
    assert spans.ending("chat parrot") == "completed"


async def test_async_generators_keep_their_protocol(spans: Spans) -> None:
    """So they do when they are awaited."""

    @observe(model="parrot")
    async def model() -> AsyncGenerator[Any, Any]:
        heard = None
        while heard != "stop":
            try:
                heard = yield heard
            except KeyError as error:
                heard = error

    reader = model()
    assert await anext(reader) is None
    assert await reader.asend("a") == "a"
    error = KeyError()
    assert await reader.athrow(error) is error
    with pytest.raises(StopAsyncIteration):
        await reader.asend("stop")
    assert spans.ending("chat parrot") == "completed"


def test_streams_that_are_left_early(spans: Spans) -> None:
    """Never started, closed and dropped streams are told apart."""
    model = Model("a", "b")
    model.stream().close()
    assert spans.all == ()
    with contextlib.closing(model.stream()) as stream:
        next(stream)
    assert spans.ending("chat parrot") == "closed"
    spans.clear()
    next(model.stream())
    gc.collect()
    assert spans.ending("chat parrot") == "abandoned"
    assert model.cleaned_up == 2


def test_a_body_that_returns_when_closed_was_closed(spans: Spans) -> None:
    """Returning instead of passing on the request to close is no completion."""

    @observe(model="parrot")
    def model() -> Generator[str, None, None]:
        with contextlib.suppress(GeneratorExit):
            yield "a"

    with contextlib.closing(model()) as stream:
        next(stream)
    assert spans.ending("chat parrot") == "closed"


def test_a_stream_collected_after_its_loop_was_closed(spans: Spans) -> None:
    """Nobody can close it any more; the call is ended all the same."""

    async def begin() -> AsyncGenerator[str, Any]:
        stream = Model("a", "b").stream_later()
        await anext(stream)
        return stream

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(begin())
    loop.close()
    assert spans.all == ()
    del stream
    gc.collect()
    assert spans.ending("chat parrot") == "abandoned"


async def test_async_streams_that_are_left_early(spans: Spans) -> None:
    """So they are when they are awaited."""
    model = Model("a", "b")
    async with contextlib.aclosing(model.stream_later()) as stream:
        await anext(stream)
    assert spans.ending("chat parrot") == "closed"
    spans.clear()
    async for _ in model.stream_later():
        break
    gc.collect()
    for _ in range(5):
        await asyncio.sleep(0)
    assert spans.ending("chat parrot") == "abandoned"
    assert model.cleaned_up == 2


def test_a_stream_whose_body_holds_its_own_reader(spans: Spans) -> None:
    """Nothing of ours keeps a generator alive that its own body refers to."""

    class Holder:
        @observe(model="parrot")
        def stream(self) -> Generator[str, None, None]:
            yield "a"
            yield str(self)

    holder: Any = Holder()
    holder.reader = holder.stream()
    next(holder.reader)
    del holder
    gc.collect()
    assert spans.ending("chat parrot") == "abandoned"


async def test_a_cancelled_stream(spans: Spans) -> None:
    """A stream whose consumer is cancelled while it waits was cancelled."""

    @observe(model="parrot")
    async def model() -> AsyncGenerator[str, None]:
        yield "a"
        await asyncio.Event().wait()

    await cancel_reader(model())
    assert spans.ending("chat parrot") == "CancelledError"


async def test_a_stream_cancelled_while_its_answer_is_decided() -> None:
    """Cancellation while the whole answer is decided passes on, and ends the call there and then."""
    slow, model = Slow(Stage.OUTPUT), Model("a")

    async def read() -> None:
        async for _ in model.stream_later("hi"):
            pass

    with recorded(slow.policy) as record:
        await slow.cancel_while_it_looks(read())
        (span,) = record.spans
    assert (span.attributes or {})["error.type"] == "CancelledError"


async def test_a_call_cancelled_before_it_is_made() -> None:
    """Cancellation while the input is decided passes on, the body does not run, and the call was cancelled."""
    slow, model = Slow(Stage.INPUT), Model("a")
    with recorded(slow.policy) as record:
        await slow.cancel_while_it_looks(model.later("hi"))
    assert model.heard == []
    (span,) = record.spans
    assert (span.attributes or {})["error.type"] == "CancelledError"
