"""Streams whose clients need more than one last chunk to take them for ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from policies import bound, pattern, policy

from specspan.call import Message, Request, Response, Text
from specspan.decision import Action
from specspan.engine.waiting import run_sync
from specspan.instrument.adapter import Adapter, Invocation, Streaming
from specspan.instrument.gate import active
from specspan.instrument.live_call import LiveCall
from specspan.instrument.stream_proxies import AsyncStream, SyncStream
from specspan.instrument.streamed_call import StreamedCall
from specspan.testing.memory import recorded


class Words:
    """A stream of words that ends with a dot."""

    def __init__(self, words: str) -> None:
        self._words = iter(words.split())

    def __iter__(self) -> Iterator[str]:
        return self._words

    def close(self) -> None:
        """Nothing is open."""


class Heard:
    finished = False

    def __init__(self, request: Request) -> None:
        self.words: list[str] = []

    def add(self, chunk: Any) -> None:
        self.words.append(chunk)

    def result(self) -> str:
        return " ".join(self.words)


STREAMING = Streaming(
    accumulator=Heard,
    deltas=lambda chunk: [(0, chunk)],
    cut=lambda chunk, choice, text: text,
    find_stream=lambda answer: answer,
    closing_events=lambda seen, chunk: [f"after-{len(seen.words)}", "."],
)
ADAPTER = Adapter(
    provider="test",
    request=lambda call: Request("test", input=(Message("user", (Text("hi"),)),), streaming=True),
    response=lambda words: Response(output=(Message("assistant", (Text(words),)),), finish_reasons=(words[-1],)),
    edit_request=lambda call, edits: call,
    edit_response=lambda answer, edits: answer,
    streaming=STREAMING,
)


def test_the_chunks_that_end_it_follow_the_cut() -> None:
    """They are handed over after the last word, are part of what is recorded, and then there is nothing more."""
    rules = policy(bound("secret", pattern("secret", reason="word"), action=Action.REDACT))
    with recorded(rules) as record:
        stream = SyncStream(Words("the secret is out"), begun())
        assert list(stream) == ["the", "[redacted:word]", "after-2", "."]
        assert list(stream) == []
    (span,) = record.spans
    assert (span.attributes or {})["gen_ai.response.finish_reasons"] == (".",)


class Connection:
    """What a stream is read from."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


class Unclosable:
    """A stream that can be closed only where it is read from, as some clients' can."""

    def __init__(self, words: str) -> None:
        self.response = Connection()
        self._words = iter(words.split())

    def __iter__(self) -> Iterator[str]:
        return self._words

    async def __aiter__(self) -> AsyncIterator[str]:
        for word in self._words:
            yield word


async def test_what_has_no_close_is_closed_where_it_is_read_from() -> None:
    """A cut lets go of the connection of every client's stream."""
    rules = policy(bound("secret", pattern("secret", reason="word"), action=Action.REDACT))
    with recorded(rules):
        sync, later = Unclosable("the secret is out"), Unclosable("the secret is out")
        assert list(SyncStream(sync, begun()))[1] == "[redacted:word]"
        assert [each async for each in AsyncStream(later, begun())][1] == "[redacted:word]"
    assert (sync.response.closed, later.response.closed) == (1, 1)


def begun() -> StreamedCall:
    pipeline = active()
    assert pipeline is not None
    invocation = Invocation(None, (), {})
    live = LiveCall(ADAPTER, pipeline, invocation)
    run_sync(live.input(invocation))
    return StreamedCall(live, STREAMING)
