"""Content in the conventions' shape, whatever an application put into it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording import CALL, REQUEST

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
from specspan.record import content


class Hostile:
    """Everything one may ask of it raises."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


class HostileMapping(dict[str, int]):
    def __len__(self) -> int:
        raise RuntimeError("no length")


def capture(*parts: Part) -> Any:
    captured = content.capture_content(ModelCall(Request("openai", input=(Message("user", parts),))))
    (message,) = json.loads(captured.texts["gen_ai.input.messages"])
    return message["parts"]


def test_parts_have_the_conventions_shape() -> None:
    """Every kind of part has its convention's fields; what is absent is left out."""
    assert capture(
        Text("t"),
        Reasoning("r"),
        Refusal("no"),
        ToolCall("search", {"q": 1}, "c-1"),
        ToolCallResponse({"ok": True}, "c-1"),
        Media("image", "https://example.com/a.png", "image/png"),
        Unknown("video_x"),
    ) == [
        {"type": "text", "content": "t"},
        {"type": "reasoning", "content": "r"},
        {"type": "refusal", "content": "no"},
        {"type": "tool_call", "id": "c-1", "name": "search", "arguments": {"q": 1}},
        {"type": "tool_call_response", "id": "c-1", "response": {"ok": True}},
        {"type": "uri", "modality": "image", "mime_type": "image/png", "uri": "https://example.com/a.png"},
        {"type": "video_x"},
    ]


def test_a_whole_call_by_attribute() -> None:
    """Instructions, input, output and tools each have their attribute; nothing is said to be truncated."""
    request = replace(REQUEST, system_instructions=(Text("be brief"),), tools=({"type": "function", "name": "search"},))
    captured = content.capture_content(replace(CALL, request=request))
    assert not captured.truncated
    assert {name: json.loads(text) for name, text in captured.texts.items()} == captured.structures
    assert captured.structures == {
        "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
        "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "What is my number?"}]}],
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": [{"type": "text", "content": "It is 123-45-6789."}],
                "finish_reason": "stop",
            }
        ],
        "gen_ai.tool.definitions": [{"type": "function", "name": "search"}],
        "specspan.call.facts": [{"scope": {"tools": ["search"]}}],
    }


def _cycle() -> list[Any]:
    cycle: list[Any] = [1]
    cycle.extend([cycle] * 600)
    return cycle


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (Hostile(), "<Hostile>"),
        ({"a": Hostile()}, {"a": "<Hostile>"}),
        (HostileMapping(a=1), "<HostileMapping>"),
        ({Hostile(): 1}, {"<Hostile>": 1}),
        ({1: "a", None: "b", (1,): "c"}, {"1": "a", "None": "b", "…": "c"}),
        ("\ud800!", "?!"),
        (float("nan"), "nan"),
        ([10**5000], ["<16610-bit int>"]),
        (b"bytes", "<bytes>"),
        ({1, 2}, [1, 2]),
    ],
)
def test_hostile_arguments_become_plain(arguments: Any, expected: Any) -> None:
    """What JSON does not know is named by its class; nothing an application passes raises or is quoted by `repr`."""
    (part,) = capture(ToolCall("t", arguments))
    assert part["arguments"] == expected


def test_a_cycle_ends() -> None:
    """A structure that holds itself, hundreds of times, is cut instead of followed."""
    text = content.capture_content(ModelCall(Request("x", input=(Message("user", (ToolCall("t", _cycle()),)),)))).texts
    assert len(text["gen_ai.input.messages"]) <= content.MAX_CHARS


@pytest.mark.parametrize(
    "messages",
    [
        (Message("user", (Text("x" * 10_000_000),)),),
        tuple(Message("user", (Text("é" * 1_000),)) for _ in range(300)),
        tuple(Message("user", (Text("short"),)) for _ in range(20_000)),
        (Message("user", tuple(Text("x" * 1_000) for _ in range(2_000))),),
    ],
    ids=["one long text", "many long messages", "very many messages", "very many parts"],
)
def test_size_is_bounded_and_said(messages: tuple[Message, ...]) -> None:
    """An attribute keeps its size, is still JSON, has the newest message, and the cut is flagged and counted."""
    before = drop_counts.totals().get(("content", "too_large"), 0)
    last = Message("user", (Text("the question"),))
    captured = content.capture_content(ModelCall(Request("x", input=(*messages, last))))
    text = captured.texts["gen_ai.input.messages"]
    assert captured.truncated
    assert len(text) <= content.MAX_CHARS
    assert json.loads(text)[-1]["parts"] == [{"type": "text", "content": "the question"}]
    assert drop_counts.totals()["content", "too_large"] == before + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
)


@given(JSON, st.text(st.characters()))
def test_anything_is_encodable(arguments: Any, text: str) -> None:
    """Whatever a call holds, its content is strict JSON in UTF-8."""
    output = Message("assistant", (ToolCall("t", arguments), Text(text)))
    captured = content.capture_content(ModelCall(Request("x"), Response(output=(output,))))
    written = captured.texts["gen_ai.output.messages"].encode()
    assert json.loads(written, parse_constant=pytest.fail)[0]["role"] == "assistant"
