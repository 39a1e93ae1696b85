"""Usual chunks: what was found out about one chunk holds for those that differ in nothing but their text."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_policies import policy
from enforcement_table import wire_of
from openai._models import construct_type
from openai.types.chat import ChatCompletionChunk

from specspan.call import Request
from specspan.errors import Blocked
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator
from specspan.instrument.formats.usual_chat_chunks import UsualChatChunks
from specspan.instrument.install import instrument, uninstrument
from specspan.testing import recorded


def body(text: Any = "word ", **fields: Any) -> dict[str, Any]:
    """Return a chunk as a service sends it."""
    delta = {"content": text, "refusal": None, "role": "assistant"}
    choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "system_fingerprint": "f"}
    return {**head, "choices": [choice], "usage": None, **fields}


def chunk(sent: dict[str, Any]) -> Any:
    """Return a chunk as the client makes it, without validation."""
    return construct_type(type_=ChatCompletionChunk, value=sent)


def learned(*chunks: dict[str, Any]) -> UsualChatChunks:
    usual = UsualChatChunks(ChatAccumulator(Request("openai")))
    for each in chunks:
        usual.learn(chunk(each))
    return usual


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of each value in a body, and of one more field in each object."""
    if path:
        yield path
    if isinstance(value, dict):
        yield (*path, "added")
    for name, each in value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ()):
        yield from places(each, (*path, name))


def replaced(place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    sent = body("other ")
    holder: Any = sent
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    return sent


TEXT = ("choices", 0, "delta", "content")
NEW: tuple[Any, ...] = ("text", "", 28, 28.5, True, [], {}, ["text"], {"a": "text"}, None)


@pytest.mark.parametrize("place", [place for place in places(body()) if place != TEXT], ids=str)
def test_any_other_difference_has_a_chunk_looked_at(place: tuple[Any, ...]) -> None:
    """A chunk with another value anywhere but in its text is none of the usual ones."""
    usual = learned(body())
    for value in NEW:
        sent = replaced(place, value)
        known = usual.text_of(chunk(sent))
        assert known is None or chunk(sent) == chunk(body("other ")), (place, value)


@pytest.mark.parametrize("value", NEW, ids=repr)
def test_the_text_of_a_usual_chunk_is_a_text(value: Any) -> None:
    """Of a chunk with something else in place of the text, or with an empty one, nothing is known."""
    assert learned(body()).text_of(chunk(body(value))) == ((0, value) if value == "text" else None)


def test_names_and_counts_that_differ_are_learned() -> None:
    """Ids and padding that differ in each chunk make none of them unusual; a value of another kind there does."""
    usual = learned(body(id="a", obfuscation="xx"), body(id="b", obfuscation="yyy"))
    assert usual.text_of(chunk(body("other", id="c", obfuscation="z"))) == (0, "other")
    for odd in ({"id": {"a": "text"}}, {"obfuscation": ["text"]}, {"model": "n"}, {"note": "text"}):
        assert usual.text_of(chunk(body("other", **{"id": "c", "obfuscation": "z"} | odd))) is None


@pytest.mark.parametrize(
    "sent",
    [
        body(None),
        body(usage={"total_tokens": 1}),
        body(choices=[]),
        body(choices=[*body()["choices"], *body()["choices"]]),
        replaced(("choices", 0, "finish_reason"), "stop"),
        replaced(("choices", 0, "delta", "refusal"), "No"),
        replaced(("choices", 0, "delta", "reasoning"), "Hm"),
        replaced(("choices", 0, "delta", "tool_calls"), [{"index": 0}]),
    ],
)
def test_chunks_with_more_than_a_text_are_not_learned(sent: dict[str, Any]) -> None:
    """What adds more to the answer than one text is looked at each time."""
    assert learned(sent).text_of(chunk(copy.deepcopy(sent))) is None


def test_learning_ends() -> None:
    """A stream none of whose chunks is like another is given up."""
    usual = learned(*[replaced(("choices", 0, "logprobs"), {"content": [], "number": n}) for n in range(64)])
    assert not usual.can_learn


@pytest.mark.parametrize("place", [("note",), ("choices", 0, "note"), ("choices", 0, "delta", "note"), TEXT], ids=str)
@pytest.mark.parametrize("usual_chunks", [0, 1, 5])
def test_a_forbidden_text_is_met_after_usual_chunks(usual_chunks: int, place: tuple[Any, ...]) -> None:
    """Texts in any field of a chunk are read, however many usual ones came before."""
    wire = wire_of("openai_chat")
    chunks = (*[body()] * usual_chunks, replaced(place, "FORBIDDEN"), body("after"))
    service = Service(wire.encode(chunks), is_stream=True)
    seen = list[Any]()

    class Output:
        def take(self, given: Any) -> None:
            seen.append(given)

    instrument("openai")
    try:
        with recorded(policy("block", {}, {})), pytest.raises(Blocked):
            wire.modes["stream"](service, Output(), {})
    finally:
        uninstrument()
    assert len(seen) == usual_chunks
