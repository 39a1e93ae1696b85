"""How streams end that is OpenAI's own; what every provider's do is in `test_provider_streams`."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from ended_spans import Spans
from openai import AsyncStream, Stream
from openai.types.chat import ChatCompletionChunk
from openai_wire import Wire, chunks, sse

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SPAN = "chat gpt-test"
ANSWER = sse(chunks("one ", "two ", "three"))
MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]


def streamed(body: str = ANSWER) -> Stream[ChatCompletionChunk]:
    return Wire(body).sync_client().chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)


async def streamed_async() -> AsyncStream[ChatCompletionChunk]:
    return await Wire(ANSWER).async_client().chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)


def test_an_early_break_closes_the_response(spans: Spans) -> None:
    """The response that the application can see is closed with the stream."""
    with streamed() as stream:
        for _ in stream:
            break
    assert spans.ending(SPAN) == "closed"
    assert stream.response.is_closed


def test_an_error_of_the_service_in_the_middle(spans: Spans) -> None:
    """An error among the chunks reaches the consumer as the client's own, with what was seen on the span."""
    stream = streamed(sse([*chunks("one", finish=None)[:2], {"error": {"message": "overloaded"}}]))
    with pytest.raises(openai.APIError, match="overloaded"):
        list(stream)
    assert spans.ending(SPAN) == "APIError"
    assert spans.attributes(SPAN)["gen_ai.response.id"] == "chatcmpl-1"


@pytest.mark.parametrize("method", ["close", "aclose"])
async def test_async_close(spans: Spans, method: str) -> None:
    """Closing by either name is told from reading to the end."""
    stream = await streamed_async()
    await anext(stream)
    await getattr(stream, method)()
    assert spans.ending(SPAN) == "closed"


async def test_a_call_that_is_never_awaited_is_never_made(spans: Spans) -> None:
    """No request, no span."""
    call = Wire(ANSWER).async_client().chat.completions.create(model="gpt-test", messages=MESSAGES)
    call.close()
    assert spans.all == ()
