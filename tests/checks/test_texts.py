"""Which texts of a call a stage looks at, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from specspan._support import drop_counts
from specspan.call import (
    Media,
    Message,
    ModelCall,
    Part,
    Reasoning,
    Refusal,
    Request,
    Response,
    Text,
    ToolCall,
    ToolCallResponse,
    Unknown,
)
from specspan.checks.check import TextAt
from specspan.checks.texts import texts
from specspan.decision import Stage

ASKED = (
    Message("system", (Text("Be kind."),)),
    Message("user", (Media("image"), Text("Where is it?"))),
    Message("assistant", (Reasoning("hm"), ToolCall("lookup", {"id": 7}), Refusal("No."))),
    Message("tool", (ToolCallResponse({"city": "Zürich"}),)),
)
ANSWERED = (
    Message("assistant", (Reasoning("It says Zürich."), Text("In Zürich."), Unknown("audio"))),
    Message("assistant", (Refusal("I cannot say."), ToolCall("note", {"text": "asked"}), ToolCall("stop"))),
)
CALL = ModelCall(
    Request(
        "openai",
        input=ASKED,
        system_instructions=(Text("Be brief."), Media("image")),
        tools=({"type": "function", "function": {"name": "note"}}, {"toolSpec": {"name": "stop"}}),
    ),
    Response(output=ANSWERED),
)


def asked(*parts: Part) -> ModelCall:
    return ModelCall(Request("openai", input=(Message("tool", parts),)))


def test_input_is_instructions_messages_and_what_tools_answered() -> None:
    """Every text sent to the model has its pointer and role; a tool's answer is its JSON text."""
    assert texts(CALL, Stage.INPUT) == (
        TextAt("/system_instructions/0", "system", "Be brief."),
        TextAt("/input/0/parts/0", "system", "Be kind."),
        TextAt("/input/1/parts/1", "user", "Where is it?"),
        TextAt("/input/2/parts/2", "assistant", "No."),
        TextAt("/input/3/parts/0", "tool", '{"city": "Zürich"}', is_result=True),
    )


@pytest.mark.parametrize("stage", [Stage.OUTPUT, Stage.STREAM])
def test_output_is_what_the_user_is_handed(stage: Stage) -> None:
    """Text and refusals are looked at; reasoning is not handed over and is left out."""
    assert texts(CALL, stage) == (
        TextAt("/output/0/parts/1", "assistant", "In Zürich."),
        TextAt("/output/1/parts/0", "assistant", "I cannot say."),
    )


def test_tool_calls_are_the_json_of_their_arguments() -> None:
    """Each tool call has a text, an empty one where it has no arguments."""
    assert texts(CALL, Stage.TOOL_CALL) == (
        TextAt("/output/1/parts/1", "assistant", '{"text": "asked"}'),
        TextAt("/output/1/parts/2", "assistant", ""),
    )


def test_arguments_that_did_not_parse_are_read_as_they_came() -> None:
    """Text that is no JSON is looked at, not skipped."""
    call = ModelCall(Request("openai"), Response(output=(Message("assistant", (ToolCall("note", '{"text": "a'),)),)))
    assert [text.text for text in texts(call, Stage.TOOL_CALL)] == ['{"text": "a', "note"]


def test_names_of_tools_that_were_not_declared_are_texts() -> None:
    """Names that the application gave are its own words; any other name follows the arguments."""
    tools = ({"name": "note", "input_schema": {"properties": {"name": {"type": "string"}}}},)
    calls = (ToolCall("note", {}), ToolCall("made up", {}))
    call = ModelCall(Request("openai", tools=tools), Response(output=(Message("assistant", calls),)))
    assert texts(call, Stage.TOOL_CALL)[2:] == (TextAt("/output/0/parts/1/name", "assistant", "made up"),)


def test_texts_in_fields_that_nobody_knows_follow_the_output() -> None:
    """They are read with the words of an answer, each field by itself, and not with its tool calls."""
    response = Response(output=(Message("assistant", (Text("a"),)),), unlisted=(("b", "c"), ("d",)))
    call = ModelCall(Request("openai"), response)
    assert [(text.pointer, text.text) for text in texts(call, Stage.OUTPUT)] == [
        ("/output/0/parts/0", "a"),
        ("/output/0/parts/unlisted/0/0", "b"),
        ("/output/0/parts/unlisted/0/1", "c"),
        ("/output/0/parts/unlisted/1/0", "d"),
    ]
    assert texts(call, Stage.TOOL_CALL) == ()


def test_before_the_answer_there_is_none_to_look_at() -> None:
    """A call without an answer has no output texts."""
    assert texts(asked(Text("a")), Stage.OUTPUT) == ()


def cycle() -> list[Any]:
    found: list[Any] = ["in a cycle"]
    found.append(found)
    return found


def nested(depth: int) -> list[Any]:
    found: list[Any] = ["at the bottom"]
    for _ in range(depth):
        found = [found]
    return found


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


class Unwalkable(Mapping[str, str]):
    def __getitem__(self, key: str) -> str:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return 1


class Liar(str):
    __slots__ = ()

    def isascii(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("response", "seen"),
    [
        (cycle(), "in a cycle"),
        (nested(100_000), "at the bottom"),
        ({"at": {1, 2}, ("a", "b"): b"bytes", "s": "text"}, "text"),
        ({"x": Unprintable(), "y": "text"}, "text"),
        ([Unwalkable(), "text"], "text"),
        (["\ud800", "text"], "text"),
        (float("nan"), "NaN"),
        ([10**5000, "text"], "text"),
        ("x" * 10_000_000, "x" * 10_000_000),
    ],
    ids=["cycle", "deep", "not JSON", "unprintable", "unwalkable", "surrogate", "NaN", "long number", "10 MB"],
)
def test_odd_answers_of_tools_are_read_as_far_as_they_go(response: object, seen: str) -> None:
    """Nothing raises, and what can be read is looked at rather than let through unseen."""
    (found,) = texts(asked(ToolCallResponse(response)), Stage.INPUT)
    assert seen in found.text


def test_what_cannot_be_read_is_counted() -> None:
    """A value whose ``__str__`` raises is a loss with a reason."""
    before = drop_counts.totals().get(("text", "unreadable"), 0)
    texts(asked(ToolCallResponse({"x": Unprintable()})), Stage.INPUT)
    assert drop_counts.totals()["text", "unreadable"] == before + 1


def test_a_string_that_lies_about_itself_is_read_as_plain() -> None:
    """Overridden methods of a string subclass do not reach the checks."""
    (found,) = texts(asked(Text(Liar("naïve"))), Stage.INPUT)
    assert type(found.text) is str
    assert found.text == "naïve"
