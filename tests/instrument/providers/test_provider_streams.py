"""Streams of every provider: however they are read and left, their span ends once and says how."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from ended_spans import ENDED_HERE, Spans
from policies import bound, pattern, policy
from stream_cases import Body, ProviderStream, Then, streams

from specspan.decision import Action
from specspan.errors import Blocked
from specspan.instrument.install import instrument, uninstrument
from specspan.policy.policy import Policy
from specspan.testing.memory import Recorded, recorded


@pytest.fixture(params=[each for each in streams() if each.sync_stream], ids=lambda each: each.id)
def case(request: pytest.FixtureRequest) -> Iterator[ProviderStream]:
    """One provider's stream through the client that blocks."""
    yield from _instrumented(request.param)


@pytest.fixture(params=[each for each in streams() if each.async_stream], ids=lambda each: each.id)
def async_case(request: pytest.FixtureRequest) -> Iterator[ProviderStream]:
    """One provider's stream through the client that awaits."""
    yield from _instrumented(request.param)


def _instrumented(case: ProviderStream) -> Iterator[ProviderStream]:
    instrument(case.provider)
    yield case
    uninstrument()


def streamed(case: ProviderStream, body: Body | None = None) -> Any:
    assert case.sync_stream is not None
    return case.sync_stream(body or Body(case.pieces))


async def streamed_async(case: ProviderStream, body: Body | None = None) -> Any:
    assert case.async_stream is not None
    return await case.async_stream(body or Body(case.pieces))


def read_a_word(case: ProviderStream, stream: Any) -> None:
    """Read until something was said, and not to the end."""
    while not case.said(next(iter(stream))):
        pass


async def read_a_word_async(case: ProviderStream, stream: Any) -> None:
    async for chunk in stream:
        if case.said(chunk):
            return


async def settled() -> None:
    """Collect what was let go of: generators are closed by tasks, one after the other."""
    for _ in range(16):
        gc.collect()
        await asyncio.sleep(0)


def needs_with(case: ProviderStream) -> None:
    if not case.is_context:
        pytest.skip("this client's streams are no context managers")


def close(case: ProviderStream, stream: Any) -> None:
    if case.close is None:
        pytest.skip("this client's streams cannot be closed")
    case.close(stream)


def test_the_span_lasts_as_long_as_the_stream(case: ProviderStream, spans: Spans) -> None:
    """The span is open while chunks come, and not current for the consumer."""
    stream = streamed(case)
    for _ in stream:
        spans.tracer.start_span("consumed").end()
        break
    assert spans.names == ["consumed"]
    assert spans.parent_of("consumed") is None
    list(stream)
    assert spans.ending(case.span) == "completed"


def test_reading_in_two_goes(case: ProviderStream, spans: Spans) -> None:
    """Reading may be interrupted and taken up again; after the end there is nothing more."""
    stream = streamed(case)
    first = [next(iter(stream)), next(iter(stream))]
    assert "".join(map(case.said, first + list(stream))) == case.text
    assert list(stream) == []
    assert spans.ending(case.span) == "completed"


def test_close(case: ProviderStream, spans: Spans) -> None:
    """Closing before the end is told from reading to it; what was seen is on the span."""
    body = Body(case.pieces)
    stream = streamed(case, body)
    read_a_word(case, stream)
    close(case, stream)
    close(case, stream)
    assert body.closed
    assert spans.ending(case.span) in case.closed
    name, value = case.known
    assert spans.attributes(case.span)[name] == value
    assert "gen_ai.response.finish_reasons" not in spans.attributes(case.span)


def test_closing_after_the_last_word_cuts_nothing_short(case: ProviderStream, spans: Spans) -> None:
    """A consumer that stops when the model said why it stopped has read the whole answer."""
    stream = streamed(case)
    for chunk in stream:
        if case.is_last(chunk):
            break
    close(case, stream)
    assert spans.ending(case.span) == "completed"
    assert "gen_ai.response.finish_reasons" in spans.attributes(case.span)


def test_dropping_it_after_the_last_word_cuts_nothing_short(case: ProviderStream, spans: Spans) -> None:
    """The same goes for a consumer that lets go of it then."""
    for chunk in streamed(case):
        if case.is_last(chunk):
            break
    gc.collect()
    assert spans.ending(case.span) == "completed"


def test_an_early_break_in_a_with(case: ProviderStream, spans: Spans) -> None:
    """Leaving the stream's own ``with`` closes it, and the connection."""
    needs_with(case)
    body = Body(case.pieces)
    with streamed(case, body) as stream:
        for _ in stream:
            break
    assert spans.ending(case.span) in case.closed
    assert body.closed


def test_an_exception_in_the_consumers_with(case: ProviderStream, spans: Spans) -> None:
    """The consumer's own failure is not the call's."""
    needs_with(case)

    def consume() -> None:
        with streamed(case) as stream:
            read_a_word(case, stream)
            raise LookupError

    with pytest.raises(LookupError):
        consume()
    assert spans.ending(case.span) in case.closed


def test_an_abandoned_stream(case: ProviderStream, spans: Spans) -> None:
    """A stream that is dropped half-read ends its span when it is collected."""
    stream = streamed(case)
    read_a_word(case, stream)
    del stream
    ENDED_HERE.set("nothing")
    gc.collect()
    assert spans.ending(case.span) in case.abandoned
    assert ENDED_HERE.get() == "nothing"


def test_a_stream_that_was_never_read(case: ProviderStream, spans: Spans) -> None:
    """Where the call was begun, it ended all the same."""
    streamed(case)
    gc.collect()
    if not case.begins_at_once:
        assert spans.all == ()
        return
    assert spans.ending(case.span) in case.abandoned


def test_a_stream_in_a_cycle(case: ProviderStream, spans: Spans) -> None:
    """A stream in a reference cycle ends its span when the cycle is collected."""
    stream = streamed(case)
    read_a_word(case, stream)
    cycle: list[Any] = [stream]
    cycle.append(cycle)
    del cycle, stream
    ENDED_HERE.set("nothing")
    gc.collect()
    assert spans.ending(case.span) in case.abandoned
    assert ENDED_HERE.get() == "nothing"


def test_every_chunk_on_another_thread(case: ProviderStream, spans: Spans) -> None:
    """A stream may be handed from thread to thread."""
    stream = streamed(case)
    with ThreadPoolExecutor(3) as pool:
        read = list(iter(lambda: pool.submit(lambda: next(iter(stream), None)).result(), None))
    assert "".join(map(case.said, read)) == case.text
    assert spans.ending(case.span) == "completed"


def test_a_connection_that_breaks(case: ProviderStream, spans: Spans) -> None:
    """A broken connection raises what the client makes of it, and the span names that."""
    stream = streamed(case, Body(case.pieces[: case.opening], Then.BREAK))
    with pytest.raises(Exception) as raised:
        list(stream)
    assert type(raised.value).__name__ == case.broken
    assert spans.ending(case.span) == case.broken


def test_no_connection(case: ProviderStream, spans: Spans) -> None:
    """So does one that never came about."""
    with pytest.raises(Exception) as raised:
        list(streamed(case, Body((), refused=True)))
    assert type(raised.value).__name__ == case.refused
    assert spans.ending(case.span) == case.refused


async def test_an_async_full_read(async_case: ProviderStream, spans: Spans) -> None:
    """An async stream is read to its end; after it there is nothing more."""
    stream = await streamed_async(async_case)
    assert "".join([async_case.said(chunk) async for chunk in stream]) == async_case.text
    assert [chunk async for chunk in stream] == []
    assert spans.ending(async_case.span) == "completed"


async def test_async_close(async_case: ProviderStream, spans: Spans) -> None:
    """Closing is told from reading to the end."""
    body = Body(async_case.pieces)
    stream = await streamed_async(async_case, body)
    await read_a_word_async(async_case, stream)
    await async_case.async_close(stream)
    assert body.closed
    assert spans.ending(async_case.span) in async_case.closed


async def test_async_close_in_another_task(async_case: ProviderStream, spans: Spans) -> None:
    """It may be closed by another task than reads it."""
    stream = await streamed_async(async_case)
    await read_a_word_async(async_case, stream)

    async def close() -> None:
        await async_case.async_close(stream)

    await asyncio.create_task(close())
    assert spans.ending(async_case.span) in async_case.closed


async def test_an_exception_in_an_async_with(async_case: ProviderStream, spans: Spans) -> None:
    """Leaving the stream's own ``async with`` closes it, by an exception too."""
    needs_with(async_case)

    async def consume() -> None:
        async with await streamed_async(async_case) as stream:
            async for _ in stream:
                raise LookupError

    with pytest.raises(LookupError):
        await consume()
    assert spans.ending(async_case.span) in async_case.closed


async def test_an_abandoned_async_stream(async_case: ProviderStream, spans: Spans) -> None:
    """A dropped async stream ends its span when it is collected."""
    stream = await streamed_async(async_case)
    await read_a_word_async(async_case, stream)
    del stream
    await settled()
    assert spans.ending(async_case.span) in async_case.abandoned


def test_an_async_stream_collected_after_its_loop_was_closed(async_case: ProviderStream, spans: Spans) -> None:
    """The loop is gone, the span ends all the same."""

    async def begin() -> Any:
        stream = await streamed_async(async_case)
        await read_a_word_async(async_case, stream)
        await settled()
        return stream

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(begin())
    loop.close()
    assert spans.all == ()
    del stream
    gc.collect()
    assert spans.ending(async_case.span) in async_case.abandoned


@pytest.mark.parametrize("way", ["async_plain", "async_stream"])
@pytest.mark.table
async def test_cancelled_before_the_answer(async_case: ProviderStream, spans: Spans, way: str) -> None:
    """A call that is cancelled while the service is silent is told from one that failed."""
    body = Body((), answered=False)

    async def ask() -> None:
        answer = await getattr(async_case, way)(body)
        if way == "async_stream" and not async_case.asks_at_once:
            await anext(aiter(answer))

    task = asyncio.create_task(ask())
    await body.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spans.ending(async_case.span) == "CancelledError"


async def test_cancelled_between_chunks(async_case: ProviderStream, spans: Spans) -> None:
    """A consumer cancelled while it waits for a chunk cancels the call, and the connection as the client does."""
    body = Body(async_case.pieces[: async_case.opening], Then.SILENCE)
    first = asyncio.Event()

    async def read() -> None:
        async for chunk in await streamed_async(async_case, body):
            if async_case.said(chunk):
                first.set()

    task = asyncio.create_task(read())
    await first.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spans.ending(async_case.span) == "CancelledError"
    assert body.closed is async_case.lets_go


@pytest.mark.parametrize("action", [Action.REDACT, Action.BLOCK])
@pytest.mark.table
def test_the_policy_cuts_it(case: ProviderStream, action: Action) -> None:
    """What completes a violation is not handed over, the connection is closed, and nothing comes after it."""
    body = Body(case.pieces)
    read: list[Any] = []
    with recorded(_forbids_a_word(case, action)) as record:
        stream = streamed(case, body)
        with pytest.raises(Blocked) if action.stops else nullcontext():
            read.extend(stream)
        with suppress(Blocked):
            assert list(stream) == []
    assert body.closed
    _assert_cut(case, action, "".join(map(case.said, read)), record)


@pytest.mark.parametrize("action", [Action.REDACT, Action.BLOCK])
@pytest.mark.table
async def test_the_policy_cuts_it_async(async_case: ProviderStream, action: Action) -> None:
    """The same where chunks are awaited."""
    body = Body(async_case.pieces)
    read: list[Any] = []
    with recorded(_forbids_a_word(async_case, action)) as record:
        stream = await streamed_async(async_case, body)
        with pytest.raises(Blocked) if action.stops else nullcontext():
            async for chunk in stream:
                read.append(chunk)  # noqa: PERF401 - what came before an error counts
    if not async_case.asks_at_once:
        await settled()  # the client reads in generators of its own, which close one after the other
    assert body.closed
    _assert_cut(async_case, action, "".join(map(async_case.said, read)), record)


def _forbids_a_word(case: ProviderStream, action: Action) -> Policy:
    """A policy under which the second word of the answer may not be said."""
    return policy(bound("quiet", pattern(case.text.split()[1], reason="word"), action=action))


def _assert_cut(case: ProviderStream, action: Action, said: str, record: Recorded) -> None:
    first, second, *_ = case.text.split()
    assert said.split() == ([first] if action.stops else [first, "[redacted:word]"])
    (span,) = record.spans
    found = span.attributes or {}
    assert found["specspan.decision.action"] == action.value
    assert found["specspan.stream.released_chars"] == case.text.index(second)
