"""A reason to stop is not the end of an answer: what a service sends after one is watched and decided like the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from openai_wire import Ask, Wire, ask_async, ask_sync, chunk, chunks, sse, text_in
from policies import Code, bound, pattern, policy, says
from stream_cases import Body, ProviderStream, streams

from specspan.call import ModelCall
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.instrument.install import instrument, uninstrument
from specspan.testing.memory import Recorded, recorded

RULES = policy(
    bound(
        "quiet",
        pattern("FORBIDDEN", reason="word"),
        pattern("FORBIDDEN", stage=Stage.TOOL_CALL, reason="word"),
        action=Action.BLOCK,
    )
)


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Iterator[Ask]:
    """Asks through the sync and through the async client of OpenAI."""
    instrument("openai")
    yield request.param
    uninstrument()


def tool(arguments: str, finish: str | None = None) -> dict[str, Any]:
    """Return a chunk with a whole tool call."""
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    return chunk({"tool_calls": [call]}, finish)


WAYS: dict[str, Sequence[dict[str, Any]]] = {
    "empty_reason": [chunk({"content": "Yes. "}, ""), chunk({"content": "FORBIDDEN"}, ""), chunk({}, "stop")],
    "on_every_chunk": [chunk({"content": text}, "stop") for text in ("Yes. ", "a", "b", "c", "d", "FORBIDDEN")],
    "on_reasoning": [chunk({"reasoning_content": "Hm."}, "stop"), chunk({"content": "FORBIDDEN"}), chunk({}, "stop")],
    "text_after": [*chunks("Yes. ")[:-1], chunk({"content": "FORBIDDEN"})],
    "second_choice": [*chunks("Yes. ")[:-1], chunk({"content": "FORBIDDEN"}, index=1), chunk({}, "stop", 1)],
    "tool_after": [*chunks("Yes. ")[:-1], tool('{"a": "FORBIDDEN"}'), chunk({}, "tool_calls")],
    "tool_at_the_end": [*chunks("Yes. ")[:-1], tool('{"a": "FORBIDDEN"}')],
    "tool_after_many": [*(chunk({"content": "a"}, "stop") for _ in range(20)), tool('{"a": "FORBIDDEN"}', "stop")],
}


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_after_a_reason_to_stop_is_decided(ask: Ask, way: str) -> None:
    """The call is blocked, and the record says over what."""
    with recorded(RULES) as record, pytest.raises(Blocked):
        ask(Wire(sse(WAYS[way])), stream=True)
    (decision,) = record.decisions
    assert (decision["verdict"], decision["action"], decision["reason"]) == ("violated", "block", "word")


def test_a_consumer_that_stops_at_the_reason_has_seen_what_was_decided() -> None:
    """The chunk with the reason is withheld until the answer was decided: a tool is not run that may not be."""
    events = [tool('{"a": "FORBIDDEN"}'), chunk({}, "tool_calls"), chunk({"content": "more"})]
    instrument("openai")
    seen: list[Any] = []

    def read(client: Any) -> None:
        asked: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
        for each in client.chat.completions.create(**asked, stream=True):
            seen.append(each)
            if each.choices[0].finish_reason:
                return

    with recorded(RULES), Wire(sse(events)).sync_client() as client, pytest.raises(Blocked):
        read(client)
    uninstrument()
    assert [each.choices[0].finish_reason for each in seen] == [None]


def test_an_answer_is_decided_once_where_nothing_comes_after(ask: Ask) -> None:
    """A check is asked once about an answer, though its usage comes after the reason to stop."""
    asked: list[str] = []

    def look(call: ModelCall, texts: Any) -> bool:
        asked.append(call.output_text)
        return True

    with recorded(policy(bound("looked_at", Code(look)))):
        ask(Wire(sse(chunks("hel", "lo"))), stream=True)
    assert asked == ["hello"]


def test_a_server_that_finishes_on_every_chunk_is_decided_a_few_times(ask: Ask) -> None:
    """The number of decisions does not grow with the stream; all of it is handed over, chunk by chunk."""
    asked: list[str] = []

    def look(call: ModelCall, texts: Any) -> bool:
        asked.append(call.output_text)
        return True

    with recorded(policy(bound("looked_at", Code(look)))):
        answer = ask(Wire(sse([chunk({"content": "a"}, "stop") for _ in range(200)])), stream=True)
    assert "".join(map(text_in, answer)) == "a" * 200
    assert asked[-1] == "a" * 200
    assert len(asked) < 8


@pytest.fixture(scope="module", params=streams(), ids=lambda each: each.id)
def case(request: pytest.FixtureRequest) -> Iterator[ProviderStream]:
    """One provider's stream."""
    instrument(request.param.provider)
    yield request.param
    uninstrument()


def test_a_second_answer_after_the_first_is_watched(case: ProviderStream) -> None:
    """Of every provider, what a client hands over after its last event is checked with what came before."""
    pieces = [piece for piece in case.pieces if not piece.startswith(b"data: [DONE]")]
    body = lambda: Body((*pieces, *pieces))  # noqa: E731
    first, *_, last = case.text.split()
    with recorded(policy(bound("nothing", says(True)))):
        unwatched, _ = read(case, body)
    with recorded(policy(bound("quiet", pattern(last + first), action=Action.BLOCK))) as record:
        watched, is_blocked = read(case, body)
    assert is_blocked is (last + first in unwatched)
    assert last + first not in watched
    assert [decision["action"] for decision in decisions(record)] == ["block" if is_blocked else "allow"]


def decisions(record: Recorded) -> Sequence[Any]:
    return record.decisions


def read(case: ProviderStream, body: Callable[[], Body]) -> tuple[str, bool]:
    """Return the text that comes out, and whether the call was blocked."""
    said: list[str] = []

    async def read_async() -> None:
        assert case.async_stream is not None
        async for each in await case.async_stream(body()):
            said.append(case.said(each))  # noqa: PERF401 - what came before an error counts

    try:
        if case.sync_stream is None:
            asyncio.run(read_async())
        else:
            said.extend(map(case.said, case.sync_stream(body())))
    except Blocked:
        return "".join(said), True
    return "".join(said), False
