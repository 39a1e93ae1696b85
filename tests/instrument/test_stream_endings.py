"""Streams of a provider: however they are read and left, their span ends once and says how."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from ended_spans import Spans
from openai import AsyncOpenAI, AsyncStream, OpenAI, Stream
from openai.types.chat import ChatCompletionChunk
from openai_wire import Wire, chunk, chunks, sse

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SPAN = "chat gpt-test"
ANSWER = sse(chunks("one ", "two ", "three"))
MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]


def streamed(body: str = ANSWER) -> Stream[ChatCompletionChunk]:
    return Wire(body).sync_client().chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)


async def streamed_async(body: str = ANSWER) -> AsyncStream[ChatCompletionChunk]:
    return await Wire(body).async_client().chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)


def said(read: list[ChatCompletionChunk]) -> str:
    return "".join(each.choices[0].delta.content or "" for each in read if each.choices)


def read_one(stream: Stream[ChatCompletionChunk]) -> None:
    next(stream)
    next(stream)


def test_the_span_lasts_as_long_as_the_stream(spans: Spans) -> None:
    """The span is open while chunks come, and not current for the consumer."""
    stream = streamed()
    for _ in stream:
        spans.tracer.start_span("consumed").end()
        break
    assert spans.names == ["consumed"]
    assert spans.parent_of("consumed") is None
    list(stream)
    assert spans.ending(SPAN) == "completed"


def test_two_loops_over_one_stream(spans: Spans) -> None:
    """Reading may be interrupted and taken up again; after the end there is nothing more."""
    stream = streamed()
    first = [next(stream), next(stream)]
    assert said(first + list(stream)) == "one two three"
    assert list(stream) == []
    assert spans.ending(SPAN) == "completed"


def test_close(spans: Spans) -> None:
    """Closing before the end is told from reading to it; what was seen is on the span."""
    stream = streamed()
    read_one(stream)
    stream.close()
    stream.close()
    assert spans.ending(SPAN) == "closed"
    assert spans.attributes(SPAN)["gen_ai.response.id"] == "chatcmpl-1"
    assert "gen_ai.response.finish_reasons" not in spans.attributes(SPAN)


def test_closing_after_the_last_word_cuts_nothing_short(spans: Spans) -> None:
    """A consumer that stops when the model said why it stopped has read the whole answer."""
    with streamed() as stream:
        for each in stream:
            if each.choices[0].finish_reason:
                break
    assert spans.ending(SPAN) == "completed"
    assert spans.attributes(SPAN)["gen_ai.response.finish_reasons"] == ("stop",)


def test_dropping_it_after_the_last_word_cuts_nothing_short(spans: Spans) -> None:
    """The same goes for a consumer that lets go of it then."""
    for each in streamed():
        if each.choices[0].finish_reason:
            break
    gc.collect()
    assert spans.ending(SPAN) == "completed"


def test_an_early_break_in_a_with(spans: Spans) -> None:
    """Leaving the stream's own ``with`` closes it."""
    with streamed() as stream:
        for _ in stream:
            break
    assert spans.ending(SPAN) == "closed"
    assert stream.response.is_closed


def test_an_exception_in_the_consumers_with(spans: Spans) -> None:
    """The consumer's own failure is not the call's."""

    def consume() -> None:
        with streamed() as stream:
            read_one(stream)
            raise LookupError

    with pytest.raises(LookupError):
        consume()
    assert spans.ending(SPAN) == "closed"


def test_an_abandoned_stream(spans: Spans) -> None:
    """A stream that is dropped half-read ends its span when it is collected."""
    stream = streamed()
    read_one(stream)
    del stream
    gc.collect()
    assert spans.ending(SPAN) == "abandoned"


def test_a_stream_that_was_never_read(spans: Spans) -> None:
    """The call was made all the same."""
    streamed()
    gc.collect()
    assert spans.ending(SPAN) == "abandoned"


def test_a_stream_in_a_cycle(spans: Spans) -> None:
    """A stream in a reference cycle ends its span when the cycle is collected."""
    stream = streamed()
    read_one(stream)
    cycle: list[Any] = [stream]
    cycle.append(cycle)
    del cycle, stream
    assert spans.all == ()
    gc.collect()
    assert spans.ending(SPAN) == "abandoned"


def test_every_chunk_on_another_thread(spans: Spans) -> None:
    """A stream may be handed from thread to thread."""
    stream = streamed()
    with ThreadPoolExecutor(3) as pool:
        read = [pool.submit(next, stream, None).result() for _ in range(7)]
    assert said([each for each in read if each is not None]) == "one two three"
    assert spans.ending(SPAN) == "completed"


def test_an_error_of_the_service_in_the_middle(spans: Spans) -> None:
    """An error among the chunks reaches the consumer as the client's own, with what was seen on the span."""
    stream = streamed(sse([*chunks("one", finish=None)[:2], {"error": {"message": "overloaded"}}]))
    with pytest.raises(openai.APIError, match="overloaded"):
        list(stream)
    assert spans.ending(SPAN) == "APIError"
    assert spans.attributes(SPAN)["gen_ai.response.id"] == "chatcmpl-1"


class Breaking(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body that breaks off, or never goes on."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield sse([chunk({"content": "one"})]).removesuffix("data: [DONE]\n\n").encode()
        if self.error is not None:
            raise self.error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for each in self:
            yield each
        await asyncio.Event().wait()

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def breaking(body: Breaking) -> httpx2.MockTransport:
    return httpx2.MockTransport(
        lambda _: httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=body)
    )


def test_a_connection_that_breaks(spans: Spans) -> None:
    """A broken connection raises what the client makes of it."""
    body = Breaking(httpx2.ReadError("gone"))
    client = OpenAI(api_key="k", http_client=httpx2.Client(transport=breaking(body)), max_retries=0)
    stream = client.chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIConnectionError):
        list(stream)
    assert spans.ending(SPAN) == "APIConnectionError"


def test_no_connection(spans: Spans) -> None:
    """So does one that never came about, streamed or not."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    client = OpenAI(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(refuse)), max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)
    assert spans.ending(SPAN) == "APIConnectionError"


async def test_an_async_full_read(spans: Spans) -> None:
    """An async stream is read to its end."""
    stream = await streamed_async()
    assert said([each async for each in stream]) == "one two three"
    assert [each async for each in stream] == []
    assert spans.ending(SPAN) == "completed"


@pytest.mark.parametrize("method", ["close", "aclose"])
async def test_async_close(spans: Spans, method: str) -> None:
    """Closing by either name is told from reading to the end."""
    stream = await streamed_async()
    await anext(stream)
    await getattr(stream, method)()
    assert spans.ending(SPAN) == "closed"


async def test_async_close_in_another_task(spans: Spans) -> None:
    """It may be closed by another task than reads it."""
    stream = await streamed_async()
    await anext(stream)
    await asyncio.create_task(stream.close())
    assert spans.ending(SPAN) == "closed"


async def test_an_async_break_in_a_with(spans: Spans) -> None:
    """Leaving the stream's own ``async with`` closes it, by an exception too."""

    async def consume() -> None:
        async with await streamed_async() as stream:
            async for _ in stream:
                raise LookupError

    with pytest.raises(LookupError):
        await consume()
    assert spans.ending(SPAN) == "closed"


async def test_an_abandoned_async_stream(spans: Spans) -> None:
    """A dropped async stream ends its span when it is collected."""
    stream = await streamed_async()
    await anext(stream)
    del stream
    gc.collect()
    await asyncio.sleep(0)
    assert spans.ending(SPAN) == "abandoned"


def test_an_async_stream_collected_after_its_loop_was_closed(spans: Spans) -> None:
    """The loop is gone, the span ends all the same."""

    async def begin() -> AsyncStream[ChatCompletionChunk]:
        stream = await streamed_async()
        await anext(stream)
        return stream

    loop = asyncio.new_event_loop()
    stream = loop.run_until_complete(begin())
    loop.close()
    assert spans.all == ()
    del stream
    gc.collect()
    assert spans.ending(SPAN) == "abandoned"


@pytest.mark.parametrize("stream", [False, True])
async def test_cancelled_before_the_answer(spans: Spans, *, stream: bool) -> None:
    """A call that is cancelled while the service is silent is told from one that failed."""
    silent = asyncio.Event()

    async def never(request: httpx2.Request) -> httpx2.Response:
        silent.set()
        await asyncio.Event().wait()
        raise AssertionError

    client = AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(never)))
    task = asyncio.create_task(client.chat.completions.create(model="gpt-test", messages=MESSAGES, stream=stream))
    await silent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spans.ending(SPAN) == "CancelledError"


async def test_cancelled_between_chunks(spans: Spans) -> None:
    """A consumer that is cancelled while it waits for a chunk cancels the call, and the connection is closed."""
    body = Breaking(None)
    client = AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=breaking(body)), max_retries=0)
    first = asyncio.Event()

    async def read() -> None:
        async for _ in await client.chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True):
            first.set()

    task = asyncio.create_task(read())
    await first.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert spans.ending(SPAN) == "CancelledError"
    assert body.closed


async def test_a_call_that_is_never_awaited_is_never_made(spans: Spans) -> None:
    """No request, no span."""
    call = Wire(ANSWER).async_client().chat.completions.create(model="gpt-test", messages=MESSAGES)
    call.close()
    assert spans.all == ()
