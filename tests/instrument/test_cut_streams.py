"""Streams whose clients need more than one last chunk to take them for ended."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from policies import bound, pattern, policy

import specspan
from specspan.call import Message, Part, Reasoning, Request, Response, Text, Unknown
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Mode, Verdict
from specspan.engine.bound_check import NOT_UNDERSTOOD
from specspan.engine.waiting import run_sync
from specspan.instrument.adapter import Adapter, Invocation, Streaming
from specspan.instrument.gate import active
from specspan.instrument.live_call import LiveCall
from specspan.instrument.stream_proxies import AsyncStream, SyncStream
from specspan.instrument.streamed_call import StreamedCall
from specspan.policy.policy import OnUnread, Policy
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


@pytest.mark.parametrize("text", ["bad", "bad evil"])
def test_a_chunk_that_could_not_be_cut_is_looked_at_to_its_end(text: str, in_production: None) -> None:
    """A clause that fails open lets its own text pass, and no other clause's in the same chunk."""

    def fail(chunk: Any, choice: int, text: str) -> Any:
        raise LookupError(text)

    def read(words: str) -> Response:
        return Response(output=(Message("assistant", (Text(words),)),))

    streaming = replace(STREAMING, deltas=lambda chunk: list(enumerate(chunk.split())), cut=fail)
    clauses = (
        bound("redacts", pattern("bad"), action=Action.REDACT),
        bound("blocks", pattern("evil"), action=Action.BLOCK),
    )
    with recorded(policy(*clauses)) as record:
        pipeline = active()
        assert pipeline is not None
        live = LiveCall(replace(ADAPTER, streaming=streaming, response=read), pipeline, Invocation(None, (), {}))
        run_sync(live.input(Invocation(None, (), {})))
        stream = SyncStream(iter([text, "."]), StreamedCall(live, streaming))
        if "evil" in text:
            with pytest.raises(specspan.Blocked):
                next(stream)
        else:
            assert list(stream) == [text, "."]
        assert record.decisions[0]["action"] == ("block" if "evil" in text else "flag")


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


def begun(adapter: Adapter = ADAPTER) -> StreamedCall:
    pipeline = active()
    assert pipeline is not None
    invocation = Invocation(None, (), {})
    live = LiveCall(adapter, pipeline, invocation)
    run_sync(live.input(invocation))
    assert adapter.streaming is not None
    return StreamedCall(live, adapter.streaming)


FOLDED = replace(
    ADAPTER,
    response=lambda words: Response(
        output=(Message("assistant", tuple(_part(word) for word in words.split())),), finish_reasons=()
    ),
    streaming=replace(STREAMING, deltas=lambda chunk: [(0, chunk)] if isinstance(_part(chunk), Text) else []),
)


def _part(word: str) -> Part:
    return Unknown(word) if word == "hologram" else Reasoning(word[1:]) if word.startswith("?") else Text(word)


def handed_over(words: str, rules: Policy) -> tuple[list[str], BaseException | None, Mapping[str, Any]]:
    """Return what a consumer of a stream of words sees, the error it ends with, and the decision."""
    seen: list[str] = []
    error: BaseException | None = None
    with recorded(rules) as record:
        try:
            for word in SyncStream(Words(words), begun(FOLDED)):
                seen.append(word)  # noqa: PERF402 - what came before the error counts
        except specspan.Blocked as blocked:
            error = blocked
    return seen, error, record.decisions[0]


@pytest.mark.parametrize(
    ("on_unread", "action"), [(OnUnread.CLOSED, Action.BLOCK), (OnUnread.ESCALATE, Action.ESCALATE)]
)
def test_a_part_that_was_not_understood_is_withheld(on_unread: OnUnread, action: Action) -> None:
    """The chunk that brings it is not handed over, although text before it was."""
    clause = replace(bound("secret", pattern("secret"), action=Action.BLOCK), on_unread=on_unread)
    seen, error, decision = handed_over("some hologram more", policy(clause))
    assert (seen, type(error)) == (["some"], specspan.Blocked)
    assert (decision["action"], decision["reason"]) == (action, NOT_UNDERSTOOD)


@pytest.mark.parametrize(
    ("on_unread", "action", "mode"),
    [
        (OnUnread.OPEN, Action.BLOCK, Mode.ENFORCE),
        (OnUnread.CLOSED, Action.FLAG, Mode.ENFORCE),
        (OnUnread.CLOSED, Action.BLOCK, Mode.OBSERVE),
    ],
)
def test_a_part_that_no_clause_stops_is_handed_over(on_unread: OnUnread, action: Action, mode: Mode) -> None:
    """The stream goes on to its end, and the clause is not said to comply."""
    clause = replace(bound("secret", pattern("secret"), action=action), on_unread=on_unread)
    seen, error, decision = handed_over("some hologram more", policy(clause, mode=mode))
    assert (seen, error) == (["some", "hologram", "more"], None)
    assert decision["verdict"] == Verdict.UNASSESSED


@pytest.mark.parametrize("action", [Action.BLOCK, Action.REDACT, Action.REPLACE])
def test_reasoning_is_cut_before_the_chunk_that_completes_it(action: Action) -> None:
    """A pattern that two chunks of reasoning complete blocks the second, whatever rewriting the clause asks for."""
    check = build("secret", {"any": ["secret"], "parts": ["text", "reasoning"]})
    seen, error, decision = handed_over("some ?sec ?ret more", policy(bound("secret", check, action=action)))
    assert (seen, type(error)) == (["some", "?sec"], specspan.Blocked)
    assert (decision["verdict"], decision["action"]) == (Verdict.VIOLATED, Action.BLOCK)
    assert decision["stream"]["released_chars"] == len("some")


def test_reasoning_and_text_do_not_read_on_with_each_other() -> None:
    """A pattern that reasoning begins and text ends is nowhere; a check of texts alone reads no reasoning."""
    check = build("secret", {"any": ["secret"], "parts": ["text", "reasoning"]})
    words = "?some ?sec ret ?ure"
    assert handed_over(words, policy(bound("secret", check, action=Action.BLOCK)))[:2] == (words.split(), None)
    words = "?secret more"
    rules = policy(
        bound("secret", pattern("secret"), action=Action.BLOCK),
        bound("other", build("other", {"any": ["unseen"], "parts": ["reasoning"]}), action=Action.BLOCK),
    )
    assert handed_over(words, rules)[:2] == (words.split(), None)
