"""Doors around a watched stream: each is watched, or refused where a policy is enforced on the answer."""

from __future__ import annotations

import asyncio
import copy
import itertools
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx
import pytest
from anthropic_wire import Wire as AnthropicWire
from anthropic_wire import events
from anthropic_wire import sse as anthropic_sse
from cohere_wire import HI
from cohere_wire import client as cohere_client
from cohere_wire import events as cohere_events
from cohere_wire import sse as cohere_sse
from openai_wire import Wire, chunks, sse
from policies import bound, pattern, policy
from stream_cases import Body, ProviderStream, streams

import specspan
from specspan.decision import Action, Mode, Stage
from specspan.errors import Blocked, ConfigurationError
from specspan.instrument.install import instrument, uninstrument
from specspan.policy.policy import Policy
from specspan.testing.memory import recorded

CASES = [case for case in streams() if case.sync_stream is not None]
WATCHED = ("generator", "_event_generator", "_iterator")
BODIES = ("iter_bytes", "iter_lines", "iter_raw", "iter_text", "read")
EVENTS = {"content-type": "text/event-stream"}
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def rules(mode: Mode = Mode.ENFORCE, stage: Stage = Stage.OUTPUT) -> Policy:
    """Return a policy that blocks the word ``two``."""
    return policy(bound("quiet", pattern("two", stage=stage, reason="word"), action=Action.BLOCK), mode=mode)


@pytest.fixture(autouse=True, scope="module")
def instrumented() -> Iterator[None]:
    """Every client is instrumented."""
    instrument()
    yield
    uninstrument()


def opened(case: ProviderStream) -> Any:
    """Return the stream of a client."""
    assert case.sync_stream is not None
    return case.sync_stream(Body(case.pieces))


def doors(stream: Any) -> dict[str, Callable[[Any], Any]]:
    """Return the ways to read a client's stream from below, by name."""
    found: dict[str, Callable[[Any], Any]] = {}
    if hasattr(stream, "completion_stream"):
        found["completion_stream"] = lambda stream: list(stream.completion_stream)
    if hasattr(stream, "_event_generator"):
        found["_raw_stream.stream"] = lambda stream: list(stream._raw_stream.stream())
    if hasattr(stream, "response"):
        found |= {f"response.{name}": partial(read_response, name) for name in BODIES}
        found["response.stream"] = lambda stream: list(stream.response.stream)
    return found


def read_response(name: str, stream: Any) -> None:
    """Read the HTTP response of a stream by one of its methods."""
    for _ in getattr(stream.response, name)():
        pass


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_door_is_refused_where_a_policy_is_enforced(case: ProviderStream) -> None:
    """The error names the door and the watched way, the call is recorded, and nothing more is handed over."""
    for door in doors(opened(case)).values():
        with recorded(rules()) as record:
            stream = opened(case)
            with pytest.raises(ConfigurationError, match=r"of a streamed answer.*[Ii]terate over the stream"):
                door(stream)
            with pytest.raises(ConfigurationError):
                next(iter(stream))
            assert list(stream) == []
            assert [each["action"] for each in record.decisions] == ["allow"]
            assert [(span.attributes or {})["error.type"] for span in record.spans] == ["ConfigurationError"]


@pytest.mark.parametrize(
    "policy", [None, rules(Mode.OBSERVE), rules(stage=Stage.INPUT)], ids=["none", "observe", "input"]
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.table
def test_a_door_is_open_where_nothing_is_enforced_on_the_answer(case: ProviderStream, policy: Policy | None) -> None:
    """Without a policy, in observe mode, and where only requests are checked, the door is what it was."""
    with recorded(policy):
        for door in doors(opened(case)).values():
            door(opened(case))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_a_stream_reads_from_is_watched(case: ProviderStream) -> None:
    """Whoever reads from the iterator inside reads what the stream would give."""
    for name in WATCHED:
        if hasattr(opened(case), name):
            with recorded(rules()), pytest.raises(Blocked):
                list(getattr(opened(case), name))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_refused_door_changes_nothing_for_the_stream_itself(case: ProviderStream) -> None:
    """Read as a stream it is watched, and cut."""
    with recorded(rules()), pytest.raises(Blocked):
        list(opened(case))


def raw(wire: Wire) -> Any:
    """Return a raw response of OpenAI's client."""
    return wire.sync_client().chat.completions.with_raw_response.create(**ASKED, stream=True)


@pytest.mark.parametrize(
    "door",
    [
        lambda raw: list(raw.http_response.iter_bytes()),
        lambda raw: list(raw.http_response.iter_lines()),
        lambda raw: raw.http_response.read(),
        lambda raw: next(raw.parse(to=raw.parse().__class__[Any])),
    ],
    ids=["iter_bytes", "iter_lines", "read", "another_type"],
)
def test_the_bytes_of_a_raw_stream_are_refused(door: Callable[[Any], Any]) -> None:
    """Of a raw response the stream that it parses is watched."""
    with recorded(rules()) as record:
        with pytest.raises(ConfigurationError, match="'with_streaming_response'"):
            door(raw(Wire(sse(chunks("one ", "two ")))))
        assert len(record.decisions) == 1
    with recorded(rules()), pytest.raises(Blocked):
        list(raw(Wire(sse(chunks("one ", "two ")))).parse())


def test_the_rest_of_a_raw_response_is_what_it_was() -> None:
    """Its status and its headers can be read, it can be closed, and its content was not read."""
    with recorded(rules()) as record:
        answer = raw(Wire(sse(chunks("one "))))
        with pytest.raises(Exception, match="without having called `read\\(\\)`"):
            _ = answer.text
        assert (answer.http_response.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
        answer.http_response.close()
        assert [each["verdict"] for each in record.decisions] == ["unassessed"]


@pytest.mark.parametrize(
    "read",
    [
        lambda answer: b"".join(answer.iter_bytes()),
        lambda answer: "".join(answer.iter_text()),
        lambda answer: list(answer.iter_lines()),
        lambda answer: answer.read(),
        lambda answer: answer.text(),
        lambda answer: answer.json(),
        lambda answer: list(answer.parse()),
        lambda answer: b"".join(answer.http_response.iter_raw()),
    ],
    ids=["iter_bytes", "iter_text", "iter_lines", "read", "text", "json", "parse", "iter_raw"],
)
def test_every_way_to_read_a_streaming_response_is_watched(read: Callable[[Any], Any]) -> None:
    """``with_streaming_response`` is the watched way to the bytes."""
    completions = Wire(sse(chunks("one ", "two "))).sync_client().chat.completions
    with recorded(rules()), pytest.raises(Blocked):
        with completions.with_streaming_response.create(**ASKED, stream=True) as answer:
            read(answer)


def test_a_door_of_a_stream_that_is_awaited_is_refused() -> None:
    """The readers that are awaited are refused like the others."""

    async def main() -> None:
        stream: Any = (
            await Wire(sse(chunks("one ", "two "))).async_client().chat.completions.create(**ASKED, stream=True)
        )
        with pytest.raises(ConfigurationError, match="of a streamed answer"):
            await anext(stream.response.aiter_lines())

    with recorded(rules()):
        asyncio.run(main())


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: list(stream.text_stream),
        lambda stream: stream.get_final_message(),
        lambda stream: stream.get_final_text(),
        lambda stream: stream.until_done(),
    ],
    ids=["text_stream", "get_final_message", "get_final_text", "until_done"],
)
def test_helpers_of_anthropic_are_watched(read: Callable[[Any], Any]) -> None:
    """Whatever the helper reads comes through the watched stream; below it, its response is refused."""
    wire = AnthropicWire("".join(anthropic_sse(events(["one ", "two "]))))
    asked: dict[str, Any] = {**ASKED, "max_tokens": 9}
    with recorded(rules()), pytest.raises(Blocked), wire.sync_client().messages.stream(**asked) as stream:
        read(stream)
    with recorded(rules()), wire.sync_client().messages.stream(**asked) as stream:
        with pytest.raises(ConfigurationError, match="of a streamed answer"):
            list(stream.response.iter_lines())


def test_the_response_of_cohere_is_refused() -> None:
    """Of a raw response the events in ``data`` are watched."""
    body = cohere_sse(*cohere_events("one ", "two "))
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=EVENTS, content=body))
    ask = cohere_client(transport).with_raw_response.chat_stream
    with recorded(rules()), ask(model="m", messages=list(HI)) as answer:
        with pytest.raises(ConfigurationError, match="of a streamed answer"):
            list(answer.response.iter_lines())
    with recorded(rules()), pytest.raises(Blocked), ask(model="m", messages=list(HI)) as answer:
        list(answer.data)


@pytest.mark.parametrize(
    "duplicate",
    [
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        lambda stream: stream.__reduce__(),
        lambda stream: stream.__reduce_ex__(4),
    ],
    ids=["copy", "deepcopy", "pickle", "reduce", "reduce_ex"],
)
@pytest.mark.parametrize(
    "made", [lambda: iter(["one ", "two "]), lambda: map(str, ("one ", "two "))], ids=["list", "map"]
)
def test_another_iterator_of_the_same_chunks_is_refused(
    duplicate: Callable[[Any], Any], made: Callable[[], Any]
) -> None:
    """What a model function returned is copied and pickled where nothing is enforced on it."""
    function = specspan.observe(model="parrot")(made)
    with recorded(rules()) as record:
        with pytest.raises(ConfigurationError, match="of a streamed answer"):
            duplicate(function())
    assert [(span.attributes or {})["error.type"] for span in record.spans] == ["ConfigurationError"]
    with recorded(rules(Mode.OBSERVE)):
        assert duplicate(function())


def returning(*pieces: str) -> Callable[[], Iterator[str]]:
    """Return a model function that returns an iterator of these pieces."""

    @specspan.observe(model="parrot")
    def function() -> Iterator[str]:
        return iter(pieces)

    return function


def test_a_stream_may_be_read_twice_over_a_tee() -> None:
    """`itertools.tee` keeps what it has read from the watched iterator."""
    function = returning("one ", "three")
    with recorded(rules()):
        first, second = itertools.tee(function())
        assert [list(first), list(second)] == [["one ", "three"]] * 2
    function = returning("one ", "two ")
    with recorded(rules()):
        first, _ = itertools.tee(function())
        with pytest.raises(Blocked):
            list(first)
