"""Cost that instrumentation adds to a decorated function, an OpenAI call and a chunk of a stream, on and off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import wrapt
from openai import OpenAI, Stream
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from benchmarks.measure import HAND_WRITTEN, Row, hand_written_span, medians_us, provider_to_nowhere
from specspan.instrument.decorators import observe
from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.providers.openai import ADAPTERS
from specspan.instrument.wrapper import wrap_client_method
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

_CHUNKS = 1000
_SPAN_US = 22.6
"""Time of the hand-written span on the machine on which limits in µs were set."""
_REQUEST: dict[str, Any] = {
    "model": "gpt-5",
    "messages": [{"role": "user", "content": "What is my order's status?"}],
    "temperature": 0.2,
}


def main() -> list[Row]:
    """Return the rows of the table, measured in one run."""
    provider = provider_to_nowhere()
    on = _on(Pipeline(Recorder(Settings(), tracer_provider=provider)))
    ask, answered, stream = _client_with_transport(), _client_with_answer(), _client_with_chunks()
    works = {
        HAND_WRITTEN: hand_written_span(provider),
        "through wrapt": lambda: _plain_wrapper(1),
        "off": lambda: _traced_function(1),
        "decorated": on(lambda: _traced_function(1)),
        "generator": on(lambda: list(_traced_generator())),
        "call": lambda: ask.create(**_REQUEST),
        "call, traced": on(lambda: ask.traced(**_REQUEST)),
        "answer": lambda: answered.create(**_REQUEST),
        "answer, traced": on(lambda: answered.traced(**_REQUEST)),
        "stream": lambda: list(stream.create(**_REQUEST)),
        "stream, traced": on(lambda: list(stream.traced(**_REQUEST))),
    }
    times = medians_us(works)
    span = times[HAND_WRITTEN]
    microsecond = span / _SPAN_US
    added = times["answer, traced"] - times["answer"]
    chunk = (times["stream, traced"] - times["stream"] - added) / _CHUNKS
    return [
        Row("decorated function", times["decorated"], span, 1.5),
        Row("decorated generator of 3 values", times["generator"], span),
        Row("decorated function, not configured (beside wrapt alone)", times["off"], times["through wrapt"], 1.9),
        Row("added to an OpenAI call", added, span, 2.5),
        Row("OpenAI call over a mock transport (beside the same untraced)", times["call, traced"], times["call"]),
        Row("added to a streamed chunk (beside 1 µs)", chunk, microsecond, 1.0),
    ]


def _on(pipeline: Pipeline) -> Callable[[Callable[[], object]], Callable[[], None]]:
    def on(work: Callable[[], object]) -> Callable[[], None]:
        def call() -> None:
            activate(pipeline)
            work()
            activate(None)

        return call

    return on


@observe
def _traced_function(number: int) -> int:
    return number


@observe
def _traced_generator() -> Iterator[int]:
    yield 1
    yield 2
    yield 3


def _pass_through(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


_plain_wrapper = wrapt.FunctionWrapper(lambda number: number, _pass_through)


class _Completions:
    """Stand-in for the client's own class, over any function that answers."""

    def __init__(self, client: OpenAI, answer: Callable[..., Any]) -> None:
        self._client = client
        self._answer = answer

    def create(self, **request: Any) -> Any:
        return self._answer(**request)

    traced = wrapt.FunctionWrapper(create, wrap_client_method(ADAPTERS[0], create))


_ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5-2026",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "On its way."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17},
}


def _client_with_transport() -> _Completions:
    """Return a client that goes the whole way to the transport and back."""
    client = _client(lambda _: httpx2.Response(200, json=_ANSWER))
    return _Completions(client, client.chat.completions.create)


def _client_with_answer() -> _Completions:
    """Return a client with an answer parsed before, as the client itself takes far longer than what is added."""
    answer = ChatCompletion.model_validate(_ANSWER)
    return _Completions(_client(lambda _: httpx2.Response(200)), lambda **_: answer)


def _client_with_chunks() -> _Completions:
    """Return a client with chunks parsed before, so that only reading the stream is measured."""
    client = _client(lambda _: httpx2.Response(200))
    chunks = [_chunk("word ") for _ in range(_CHUNKS)] + [_chunk(None, "stop")]
    response = httpx2.Response(200)

    def create(**_: Any) -> Stream[ChatCompletionChunk]:
        stream = Stream(cast_to=ChatCompletionChunk, response=response, client=client)
        stream._iterator = iter(chunks)
        return stream

    return _Completions(client, create)


def _client(answer: Callable[[httpx2.Request], httpx2.Response]) -> OpenAI:
    return OpenAI(api_key="none", http_client=httpx2.Client(transport=httpx2.MockTransport(answer)), max_retries=0)


def _chunk(text: str | None, finish: str | None = None) -> ChatCompletionChunk:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026"}
    return ChatCompletionChunk.model_validate(head | {"choices": [choice], "usage": None})
