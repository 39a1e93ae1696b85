"""Texts in fields that a format's reader does not know are found, left out and replaced."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from specspan.instrument.formats.known_chat import CHAT, CHAT_CHUNK
from specspan.instrument.formats.known_fields import COUNTS, WHOLE, AnswerFields, has_unlisted, known, with_made
from specspan.instrument.formats.raw_response import REPEATED, all_fields

FIELDS = AnswerFields(known("id", items=known("name", index=WHOLE), usage=COUNTS, all=WHOLE))


def paths(answer: Any) -> list[tuple[str, str]]:
    return [(".".join(each.path), each.text) for each in FIELDS.read(answer)]


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "a", "items": [{"name": "b"}, {"name": ""}], "usage": {"n": 1, "deep": {"n": 2.5}}, "all": {"x": ["y"]}},
        {"id": None, "items": None, "more": [], "other": {"n": 1, "list": [None, True]}, "bytes": b"x"},
        {},
        None,
        7,
    ],
)
def test_known_fields_and_values_without_texts_are_no_news(answer: Any) -> None:
    """Numbers, empty values and what stands in known fields are not listed, and nothing is copied."""
    assert paths(answer) == []
    assert FIELDS.stripped(answer) is answer


def test_texts_are_found_at_every_level() -> None:
    """In unknown fields at any depth, in place of objects, and in containers where a name should be."""
    answer = {"id": {"x": "a"}, "items": [{"name": "", "note": "b"}, "c"], "usage": {"n": "d"}, "new": [[{"y": "e"}]]}
    assert paths(answer) == [("id.x", "a"), ("items.note", "b"), ("items", "c"), ("usage.n", "d"), ("new.y", "e")]


def test_texts_are_left_out_and_replaced() -> None:
    """By place and number; all else is as it was."""
    answer = {"id": "a", "new": ["b", "c", {"d": "e"}]}
    assert FIELDS.stripped(answer) == {"id": "a", "new": ["", "", {"d": ""}]}
    texts = {((0, ("new",)), 1): "x", ((0, ("new", "d")), 0): "y"}
    assert FIELDS.edited(answer, texts) == {"id": "a", "new": ["b", "x", {"d": "y"}]}
    assert answer == {"id": "a", "new": ["b", "c", {"d": "e"}]}


def test_what_a_client_makes_is_known_only_where_it_declares_it() -> None:
    """The same name in what the service sent is a field like any other."""
    fields = AnswerFields(with_made(known("id"), "parsed"))
    assert [each.text for each in fields.read({"id": "a", "parsed": "b"})] == ["b"]


@pytest.mark.parametrize("delta", [{"content": "a"}, {}, {"role": "assistant", "content": ""}])
def test_usual_chunks_are_known_at_a_glance(delta: dict[str, Any]) -> None:
    """No field of such a chunk is looked into one by one."""
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    assert not has_unlisted(chunk, CHAT_CHUNK.known)
    assert not has_unlisted(ChatCompletionChunk.model_validate(chunk), CHAT_CHUNK.known)


def test_verdicts_of_a_filter_are_no_words_of_the_model() -> None:
    """Azure sends them with every answer; a text beside them is one."""
    verdict = {
        "hate": {"filtered": False, "severity": "safe"},
        "protected_material_code": {"citation": {"license": "x"}},
    }
    choice = {"index": 1, "message": {"content": "a"}, "content_filter_results": verdict}
    assert CHAT.read({"choices": [choice]}) == []
    noted = {**choice, "content_filter_results": {"hate": {"note": "b"}}}
    (found,) = CHAT.read({"choices": [noted]})
    assert (found.choice, found.text) == (1, "b")


def test_a_field_that_comes_twice_among_many_is_read() -> None:
    """All but the last of each is kept, without comparing each field with each other."""
    names = [f'"k{number}": 1' for number in range(100_000)]
    read = all_fields(("{" + ", ".join([*names, '"k0": 2', '"k1": 3', '"k0": 4']) + "}").encode())
    assert (read["k0"], read["k1"]) == (4, 3)
    assert read[REPEATED] == [["k0", 1], ["k1", 1], ["k0", 2]]
