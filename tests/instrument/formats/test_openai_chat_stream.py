"""Chunks of chat completions: an answer cut in any way and folded is the answer that the plain reader reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import groq.types.chat
import openai.types.chat
import pytest
import together.types.chat.chat_completion_chunk
from hypothesis import given, settings
from hypothesis import strategies as st
from mistralai.client.models import CompletionEvent
from odd_shapes import cuts, replaced, texts
from openai_wire import chunk, completion
from thorough import examples

from specspan.call import Message, Refusal, Request, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.adapter import Adapter, Streaming
from specspan.instrument.providers.mistral.chat import ADAPTERS as MISTRAL
from specspan.instrument.providers.openai import chat as openai_chat

OPENAI = openai_chat.ADAPTER


def _mistral(fields: Mapping[str, Any]) -> Any:
    return CompletionEvent.model_validate({"data": fields})


CLIENTS: Mapping[str, tuple[Adapter, Callable[..., Any]]] = {
    "openai": (OPENAI, lambda fields: openai.types.chat.ChatCompletionChunk.construct(**fields)),
    "groq": (OPENAI, lambda fields: groq.types.chat.ChatCompletionChunk.construct(**fields)),
    "together": (
        OPENAI,
        lambda fields: together.types.chat.chat_completion_chunk.ChatCompletionChunk.construct(**fields),
    ),
    "mistral": (next(each for each in MISTRAL if each.streaming is not None), _mistral),
}

names = st.text("fg", min_size=1, max_size=4)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """Return a message with some of the fields that the plain reader knows."""
    fields: dict[str, Any] = {"role": "assistant", "content": draw(texts)}
    for name in ("refusal", "reasoning_content"):
        if draw(st.booleans()):
            fields[name] = draw(texts)
    if draw(st.booleans()):
        fields["audio"] = {"id": "a", "transcript": draw(texts)}
    if draw(st.booleans()):
        fields["function_call"] = {"name": draw(names), "arguments": draw(texts)}
    calls = draw(st.lists(st.tuples(st.sampled_from(["function", "custom"]), names, texts), max_size=3))
    fields["tool_calls"] = [
        {"id": f"c{number}", "type": kind, kind: {"name": name, "input" if kind == "custom" else "arguments": text}}
        for number, (kind, name, text) in enumerate(calls)
    ]
    return fields


@st.composite
def streams(draw: st.DrawFn) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return a message and its deltas."""
    message = draw(messages())
    numbering = draw(st.sampled_from(["own", "alike", "none"]))
    deltas: list[dict[str, Any]] = [{"role": "assistant"}]
    deltas += [{"reasoning_content": piece} for piece in cuts(draw, message.get("reasoning_content") or "")]
    deltas += [{"content": piece} for piece in cuts(draw, message["content"])]
    if audio := message.get("audio"):
        deltas += [{"audio": {"id": "a", "transcript": piece}} for piece in cuts(draw, audio["transcript"])]
    deltas += [{"refusal": piece} for piece in cuts(draw, message.get("refusal") or "")]
    if function := message.get("function_call"):
        deltas.append({"function_call": {"name": function["name"], "arguments": ""}})
        deltas += [{"function_call": {"arguments": piece}} for piece in cuts(draw, function["arguments"])]
    for number, call in enumerate(message["tool_calls"]):
        kind = call["type"]
        index = {"own": {"index": number}, "alike": {"index": 0}, "none": {}}[numbering]
        field = "input" if kind == "custom" else "arguments"
        deltas.append({"tool_calls": [{**index, **call, kind: {**call[kind], field: ""}}]})
        deltas += [{"tool_calls": [{**index, kind: {field: piece}}]} for piece in cuts(draw, call[kind][field])]
    return message, deltas


def fold(adapter: Adapter, chunks: Sequence[Any]) -> Message:
    """Return the message that a stream adds up to."""
    assert adapter.streaming is not None
    accumulator = adapter.streaming.accumulator(Request("test"))
    for each in chunks:
        accumulator.add(each)
    response = adapter.response(accumulator.result())
    assert response is not None
    (output,) = response.output
    return output


def read(adapter: Adapter, message: Mapping[str, Any]) -> Message:
    """Return the message of an answer that is not streamed."""
    response = adapter.response(completion(choices=[{"index": 0, "message": message, "finish_reason": "stop"}]))
    assert response is not None
    return response.output[0]


def watched(streaming: Streaming, chunks: Sequence[Any]) -> str:
    """Return the text that the check of a stream sees."""
    return "".join(delta[1] for each in chunks for delta in streaming.deltas(each) if delta[0] >= 0)


def seen(message: Message) -> str:
    """Return the text of a message that a person sees or hears."""
    return "".join(part.content for part in message.parts if isinstance(part, (Text, Refusal)))


def whole_parts(message: Message) -> list[Any]:
    """Return the parts of a message that hold something."""
    return [part for part in message.parts if not isinstance(part, Text) or part.content]


@pytest.mark.parametrize("name", ["openai", "groq", "together"])
@settings(max_examples=examples(40))
@given(stream=streams())
def test_a_stream_adds_up_to_the_answer(name: str, stream: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """All parts are those of the plain answer, and the check of the stream sees all that a person sees."""
    adapter, build = CLIENTS[name]
    assert adapter.streaming is not None
    message, deltas = stream
    chunks = [build(each) for each in (*map(chunk, deltas), chunk({}, "stop"))]
    plain = read(adapter, message)
    assert whole_parts(fold(adapter, chunks)) == whole_parts(plain)
    assert watched(adapter.streaming, chunks) == seen(plain)


@settings(max_examples=examples(40))
@given(pieces=st.lists(st.tuples(st.sampled_from(["thinking", "text", "plain"]), texts), max_size=5))
def test_content_lists_add_up_in_order(pieces: list[tuple[str, str]]) -> None:
    """Text and reasoning that Mistral's client has as content lists are those of a list that came whole."""
    adapter, build = CLIENTS["mistral"]
    assert adapter.streaming is not None
    contents = [
        text
        if kind == "plain"
        else [{"type": kind, kind: text if kind == "text" else [{"type": "text", "text": text}]}]
        for kind, text in pieces
    ]
    chunks = [build(chunk({"content": content})) for content in contents]
    plain = [item for content in contents for item in ([content] if isinstance(content, str) else content)]
    joined = fold(adapter, [*chunks, build(chunk({"content": ""}, "stop"))])
    for kind in ("text", "reasoning"):
        expected = "".join(part.content for part in read(OPENAI, {"content": plain}).parts if part.type == kind)  # type: ignore[union-attr]
        assert "".join(part.content for part in joined.parts if part.type == kind) == expected  # type: ignore[union-attr]
    assert watched(adapter.streaming, chunks) == "".join(text for kind, text in pieces if kind != "thinking")


FULL_DELTA: dict[str, Any] = {
    "content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": [{"type": "text", "text": "b"}]}],
    "refusal": "c",
    "reasoning_content": "d",
    "audio": {"id": "a", "transcript": "e"},
    "annotations": [{"type": "url_citation", "url_citation": {"title": "f", "url": "u"}}],
    "reasoning_details": [{"type": "reasoning.text", "text": "g"}],
    "function_call": {"name": "h", "arguments": "i"},
    "tool_calls": [
        {"index": 0, "id": "j", "type": "function", "function": {"name": "k", "arguments": "{}"}},
        {"index": 1, "id": "l", "type": "custom", "custom": {"name": "m", "input": "n"}},
    ],
}


@pytest.mark.parametrize("name", ["openai", "groq", "together"])
def test_no_value_of_another_shape_raises(name: str) -> None:
    """Whatever stands in place of a value of a chunk or of a body, the rest is read, and the next chunk too."""
    adapter, build = CLIENTS[name]
    assert adapter.streaming is not None
    number = 0
    for fields in replaced(chunk(FULL_DELTA, "stop")):
        odd, after = build(fields), build(chunk({"content": "AFTER"}))
        accumulator = adapter.streaming.accumulator(Request("test"))
        list(adapter.streaming.deltas(odd))
        accumulator.add(odd)
        accumulator.add(after)
        response = adapter.response(accumulator.result())
        assert response is not None
        assert any("AFTER" in seen(message) for message in response.output), fields
        number += 1
    for body in replaced(completion(choices=[{"index": 0, "message": FULL_DELTA, "finish_reason": "stop"}])):
        adapter.response(body)
        number += 1
    assert number > 1000


@pytest.mark.parametrize(("first", "second"), [(0, 0), (None, None), (1, 0), (0, 2**40), (0, -1)])
def test_two_calls_are_told_apart_by_their_ids(first: int | None, second: int | None) -> None:
    """Two calls at one index, or at none, are two; a piece without an id belongs to the latest at its index."""
    pieces = [
        {"index": first, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "1"}},
        {"index": second, "id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}},
        {"index": second, "function": {"arguments": "2"}},
    ]
    _, build = CLIENTS["openai"]
    parts = fold(OPENAI, [build(chunk({"tool_calls": [piece]})) for piece in pieces]).parts
    assert {part for part in parts if isinstance(part, ToolCall)} == {ToolCall("f", 1, "c1"), ToolCall("g", 2, "c2")}


def test_calls_without_ids_are_told_apart_by_their_names() -> None:
    """A name after arguments that are whole starts the next call; a name that a server repeats does not."""
    _, build = CLIENTS["openai"]
    pieces = [("f", '{"a":'), ("f", " 1}"), ("f", "{}"), ("g", "{}")]
    chunks = [
        build(chunk({"tool_calls": [{"index": 0, "function": {"name": name, "arguments": arguments}}]}))
        for name, arguments in pieces
    ]
    calls = [part for part in fold(OPENAI, chunks).parts if isinstance(part, ToolCall)]
    assert [(call.name, call.arguments) for call in calls] == [("f", {"a": 1}), ("f", {}), ("g", {})]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"content": {"text": "x"}}, [Text("x")]),
        ({"content": ["x", None, {"text": ["y", {"text": "z"}]}]}, [Text("x"), Text("yz")]),
        ({"content": 28.0}, [Unknown("float")]),
        ({"content": [{"type": "hologram"}]}, [Unknown("hologram")]),
        ({"refusal": {"text": "x"}}, [Refusal("x")]),
        ({"tool_calls": {"0": {}}}, [Unknown("dict")]),
        ({"tool_calls": [None, {"type": "hologram", "id": "c"}]}, [Unknown("hologram")]),
        ({"function_call": {"name": "", "arguments": ""}}, []),
        (
            {"tool_calls": [{"type": "function", "function": {"name": "f"}, "custom": {"name": "", "input": ""}}]},
            [ToolCall("f")],
        ),
        ({"audio": {"transcript": "x", "data": "AAAA"}}, [Text("x")]),
        ({"annotations": [{"type": "url_citation", "url_citation": {"title": "x"}}]}, [ToolCallResponse("x")]),
    ],
)
def test_odd_shapes_of_a_message(fields: Mapping[str, Any], expected: Sequence[Any]) -> None:
    """Text is read where it can be; what cannot be read is there as unknown; filled-in fields are no calls."""
    assert list(read(OPENAI, fields).parts) == list(expected)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"content": {"text": "x"}}, ("content", "text")),
        ({"content": ["x"]}, ("content", 0)),
        ({"audio": {"transcript": "x", "data": "AAAA"}}, ("audio", "transcript")),
        ({"annotations": [{"type": "file_citation", "filename": "x"}]}, ("annotations", 0, "filename")),
    ],
)
def test_odd_shapes_are_edited(fields: dict[str, Any], path: tuple[Any, ...]) -> None:
    """An edit replaces the text where it stands, and the sound that says the same."""
    body = {"choices": [{"message": fields}]}
    edited = OPENAI.edit_response(body, {"/output/0/parts/0": "edited"})["choices"][0]["message"]
    value = edited
    for key in path:
        value = value[key]
    assert value == "edited"
    assert edited.get("audio", {}).get("data", "") == ""
    assert body == {"choices": [{"message": fields}]}
