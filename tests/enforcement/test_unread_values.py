"""Texts where a reader may not look: keys, returned values, pieces of dicts, bodies that are no JSON."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_policies import policy_file
from enforcement_runner import decisions_of
from enforcement_table import WORD
from enforcement_wire_anthropic import RESOURCE as ANTHROPIC
from enforcement_wire_openai_chat import RESOURCE as OPENAI
from enforcement_wire_openai_responses import RESOURCE as RESPONSES

import specspan
from specspan.testing import recorded

model = specspan.observe(model="parrot")
HALF = len(WORD) // 2


@model
def _key_in_a_tuple() -> Any:
    return {"fine": "fine", ("fine", WORD): 1}


@model
def _returned() -> Generator[str, None, str]:
    yield "fine"
    return WORD


def _generate() -> Generator[str, None, str]:
    yield "fine"
    return WORD


@model
def _returned_by_a_returned_generator() -> Generator[str, None, str]:
    return _generate()


@model
def _spread() -> Generator[str, None, str]:
    yield WORD[:HALF]
    return WORD[HALF:]


@model
def _pieces_of_a_field() -> Iterator[dict[str, Any]]:
    for piece in ("fine ", WORD[:HALF], WORD[HALF:]):
        yield {"type": "piece", "choices": [{"text": piece}]}


def _read(generator: Generator[Any, Any, Any]) -> list[Any]:
    given = []
    try:
        while True:
            given.append(next(generator))
    except StopIteration as end:
        return [*given, end.value]


WAYS: dict[str, Callable[[], Any]] = {
    "a key in a tuple": _key_in_a_tuple,
    "the value of a generator": lambda: _read(_returned()),
    "the value of a generator that was returned": lambda: _read(_returned_by_a_returned_generator()),
    "the value that ends a word": lambda: _read(_spread()),
    "pieces of a field": lambda: list(_pieces_of_a_field()),
}


@pytest.mark.parametrize("name", WAYS)
def test_what_a_function_gives_is_read_wherever_it_stands(name: str) -> None:
    """The call is stopped, and the record says so."""
    with recorded(policy_file("block", {}, {})) as record:
        with pytest.raises(specspan.Blocked):
            WAYS[name]()
        (decision,) = decisions_of(record)
    assert (decision["verdict"], decision["action"]) == ("violated", "block")


@pytest.mark.parametrize("action", ["redact", "replace"])
def test_the_value_of_a_generator_is_never_handed_over(action: str) -> None:
    """The stream ends in place of it."""
    with recorded(policy_file(action, {}, {})) as record:
        given = _read(_returned())
        (decision,) = decisions_of(record)
    assert WORD not in given
    assert given[0] == "fine"
    assert decision["action"] == action


def test_the_value_of_a_generator_that_is_allowed_is_handed_over() -> None:
    """What was returned reaches the consumer, after the chunks."""

    @model
    def generate() -> Generator[str, None, dict[str, int]]:
        yield "fine"
        return {"words": 1}

    with recorded(policy_file("block", {}, {})) as record:
        assert _read(generate()) == ["fine", {"words": 1}]
        (decision,) = decisions_of(record)
    assert decision["verdict"] == "complied"


RESOURCES = {"openai_chat": OPENAI, "openai_responses": RESPONSES, "anthropic": ANTHROPIC}
BODY = f"fine {WORD} fine"


def _ask(name: str, body: str) -> Any:
    service = Service((body.encode(),), headers={"content-type": "text/plain"})
    return RESOURCES[name].sync(service).create(**RESOURCES[name].asked)


@pytest.mark.parametrize("name", RESOURCES)
def test_a_body_that_is_no_json_is_read_as_it_stands(name: str) -> None:
    """The client hands it over as a text: blocked, and edited."""
    with recorded(policy_file("block", {}, {})) as record:
        with pytest.raises(specspan.Blocked):
            _ask(name, BODY)
        (decision,) = decisions_of(record)
    assert (decision["verdict"], decision["action"]) == ("violated", "block")
    with recorded(policy_file("redact", {"on_unread": "open"}, {})):
        assert _ask(name, BODY) == "fine [redacted:word] fine"


@pytest.mark.parametrize("name", RESOURCES)
def test_a_body_that_is_no_json_is_not_called_complied(name: str) -> None:
    """Nobody knows what its parts would be: what follows is the clause's ``on_unread``."""
    with recorded(policy_file("openblock", {}, {})) as record:
        assert _ask(name, "fine") == "fine"
        (decision,) = decisions_of(record)
    assert {each["reason"] for each in decision["findings"]} == {"content_not_understood"}
    with recorded(policy_file("block", {}, {})), pytest.raises(specspan.Blocked):
        _ask(name, "fine")


TWICE = {
    "openai_chat": '{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,'
    '"finish_reason": "stop", "message": {"role": "assistant", "content": "%s", "content": "fine"}}]}',
    "openai_responses": '{"id": "r", "object": "response", "created_at": 1, "model": "m", "status": "completed",'
    '"output": [{"id": "m", "type": "message", "role": "assistant", "status": "completed", "content": [{"type":'
    '"output_text", "annotations": [], "text": "%s", "text": "fine"}]}]}',
    "anthropic": '{"id": "m", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",'
    '"usage": {"input_tokens": 1, "output_tokens": 1}, "content": [{"type": "text", "text": "%s", "text": "fine"}]}',
}
"""Bodies with a field that comes twice."""


@pytest.mark.parametrize("name", RESOURCES)
def test_a_field_that_comes_twice_is_read_as_often_as_it_is_handed_over(name: str) -> None:
    """A client shows the last; raw bytes have all."""
    service = Service(((TWICE[name] % WORD).encode(),))
    resource, asked = RESOURCES[name].sync(service), RESOURCES[name].asked
    with recorded(policy_file("block", {}, {})) as record:
        assert WORD not in str(resource.create(**asked))
        with pytest.raises(specspan.Blocked):
            resource.with_raw_response.create(**asked)
        shown, raw = record.decisions
    assert (shown["verdict"], raw["verdict"]) == ("complied", "violated")
    with recorded(policy_file("redact", {}, {})):
        assert WORD not in resource.with_raw_response.create(**asked).http_response.text


@model
def _file() -> io.StringIO:
    return io.StringIO(f"fine\n{WORD}\n")


READS: dict[str, Callable[[Any], Any]] = {
    "read": lambda file: file.read(),
    "readline": lambda file: file.readline(),
    "readlines": lambda file: file.readlines(),
    "getvalue": lambda file: file.getvalue(),
}


@pytest.mark.parametrize("name", READS)
def test_a_file_that_a_function_returns_is_not_read_around_its_lines(name: str) -> None:
    """Its lines are watched; its other ways to read are refused in enforce mode, and only when they are used."""
    with recorded(policy_file("block", {}, {})) as record:
        file = _file()
        assert hasattr(file, name)
        with pytest.raises(specspan.errors.ConfigurationError, match=name):
            READS[name](file)
        with pytest.raises(specspan.errors.ConfigurationError):
            next(file)
        (decision,) = decisions_of(record)
    assert decision["verdict"] == "unassessed"
    with recorded(policy_file("block", {}, {}, mode="observe")):
        assert "fine" in str(READS[name](_file()))


def test_lines_of_a_file_that_a_function_returns_are_watched() -> None:
    """The line with the word is not handed over."""
    with recorded(policy_file("block", {}, {})):
        lines = iter(_file())
        assert next(lines) == "fine\n"
        with pytest.raises(specspan.Blocked):
            next(lines)
