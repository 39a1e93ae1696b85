"""Streamed answers of every shape: an answer cut into deltas in any way and folded is the answer."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from specspan.call import Message, Request, ToolCall
from specspan.instrument.adapter import Adapter
from specspan.instrument.formats.bedrock_converse import read_response
from specspan.instrument.formats.bedrock_converse_stream import ConverseAccumulator
from specspan.instrument.providers import anthropic
from specspan.instrument.providers.bedrock import converse, text_models
from specspan.instrument.providers.cohere import chat as cohere
from specspan.instrument.providers.google import generate as google
from specspan.instrument.providers.ollama import text as ollama

REQUEST = Request(provider="p")
few = settings(max_examples=examples(25), deadline=None)
texts = st.text('abcXY .{}"\n\\é', min_size=1, max_size=12)
arguments = st.dictionaries(st.sampled_from(["q", "n"]), texts, min_size=1, max_size=2)


@st.composite
def pieces_of(draw: st.DrawFn, text: str) -> list[str]:
    """Return a text in pieces."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=3)))
    edges = [0, *(each for each in cuts if each < len(text)), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(edges)]


def streamed(adapter: Adapter, events: Iterable[Any]) -> tuple[Message, ...]:
    """Return the messages that an adapter reads of a stream."""
    assert adapter.streaming is not None
    accumulator = adapter.streaming.accumulator(REQUEST)
    for event in events:
        accumulator.add(event)
    response = adapter.response(accumulator.result())
    assert response is not None
    return response.output


def plain(adapter: Adapter, body: Any) -> tuple[Message, ...]:
    """Return the messages that an adapter reads of a whole answer."""
    response = adapter.response(body)
    assert response is not None
    return response.output


def anthropic_citation(text: str) -> dict[str, Any]:
    return {"type": "char_location", "cited_text": text, "document_title": "a title"}


ANTHROPIC_BLOCKS = st.one_of(
    texts.map(lambda text: {"type": "text", "text": text}),
    st.tuples(texts, texts).map(
        lambda each: {"type": "text", "text": each[0], "citations": [anthropic_citation(each[1])]}
    ),
    texts.map(lambda text: {"type": "thinking", "thinking": text}),
    texts.map(lambda text: {"type": "compaction", "content": text}),
    arguments.map(lambda found: {"type": "tool_use", "id": "t", "name": "search", "input": found}),
    texts.map(
        lambda text: {"type": "mcp_tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": text}]}
    ),
    texts.map(lambda text: {"type": "code_execution_tool_result", "tool_use_id": "t", "content": {"stdout": text}}),
    st.just({"type": "hologram", "caption": "x"}),
)
ANTHROPIC_DELTAS = {
    "text": ("text_delta", "text", ""),
    "thinking": ("thinking_delta", "thinking", ""),
    "compaction": ("compaction_delta", "content", None),
}


@st.composite
def anthropic_events(draw: st.DrawFn, index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of one block."""
    kind, started, deltas = block["type"], dict(block), list[dict[str, Any]]()
    if kind in ANTHROPIC_DELTAS:
        name, field, empty = ANTHROPIC_DELTAS[kind]
        started[field] = empty
        deltas = [{"type": name, field: each} for each in draw(pieces_of(block[field]))]
        deltas += [{"type": "citations_delta", "citation": each} for each in started.pop("citations", ())]
    elif kind == "tool_use":
        started["input"] = {}
        written = draw(pieces_of(json.dumps(block["input"])))
        deltas = [{"type": "input_json_delta", "partial_json": each} for each in written]
    return [
        {"type": "content_block_start", "index": index, "content_block": started},
        *({"type": "content_block_delta", "index": index, "delta": each} for each in deltas),
        {"type": "content_block_stop", "index": index},
    ]


@few
@given(data=st.data(), blocks=st.lists(ANTHROPIC_BLOCKS, min_size=1, max_size=4))
def test_anthropics_messages(data: st.DataObject, blocks: list[dict[str, Any]]) -> None:
    """Every block that a message may hold is read as well from its events."""
    adapter = anthropic.ADAPTERS[0]
    frame: dict[str, Any] = {"type": "message", "role": "assistant", "content": [], "stop_reason": None}
    events = [event for index, block in enumerate(blocks) for event in data.draw(anthropic_events(index, block))]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}
    assert streamed(adapter, [{"type": "message_start", "message": frame}, *events, end]) == plain(
        adapter, {**frame, "content": blocks, "stop_reason": "end_turn"}
    )


def cited(text: str) -> dict[str, Any]:
    return {"title": "a title", "sourceContent": [{"text": text}]}


CONVERSE_BLOCKS = st.one_of(
    texts.map(lambda text: {"text": text}),
    st.tuples(texts, texts).map(
        lambda each: {"citationsContent": {"content": [{"text": each[0]}], "citations": [cited(each[1])]}}
    ),
    texts.map(lambda text: {"reasoningContent": {"reasoningText": {"text": text}}}),
    arguments.map(lambda found: {"toolUse": {"toolUseId": "t", "name": "search", "input": found}}),
    texts.map(lambda text: {"toolResult": {"toolUseId": "t", "content": [{"text": text}, {"json": {"n": 1}}]}}),
)


@st.composite
def converse_events(draw: st.DrawFn, index: int, block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events of one block."""
    ((kind, value),) = block.items()
    deltas: list[Any] = []
    start: dict[str, Any] | None = None
    if kind == "text":
        deltas = [{"text": each} for each in draw(pieces_of(value))]
    elif kind == "citationsContent":
        deltas = [{"text": each} for each in draw(pieces_of(value["content"][0]["text"]))]
        deltas += [{"citation": each} for each in value["citations"]]
    elif kind == "reasoningContent":
        said = draw(pieces_of(value["reasoningText"]["text"]))
        deltas = [*({"reasoningContent": {"text": each}} for each in said), {"reasoningContent": {"signature": "s"}}]
    elif kind == "toolUse":
        start = {"toolUse": {"toolUseId": "t", "name": "search"}}
        deltas = [{"toolUse": {"input": each}} for each in draw(pieces_of(json.dumps(value["input"])))]
    else:
        start = {"toolResult": {"toolUseId": "t"}}
        first, *rest = value["content"]
        deltas = [*({"toolResult": [{"text": each}]} for each in draw(pieces_of(first["text"]))), {"toolResult": rest}]
    started = [{"contentBlockStart": {"contentBlockIndex": index, "start": start}}] if start else []
    return [*started, *({"contentBlockDelta": {"contentBlockIndex": index, "delta": each}} for each in deltas)]


@few
@given(data=st.data(), blocks=st.lists(CONVERSE_BLOCKS, min_size=1, max_size=4))
def test_converses_messages(data: st.DataObject, blocks: list[dict[str, Any]]) -> None:
    """Every block that a message may hold is read as well from its events."""
    accumulator = ConverseAccumulator(REQUEST)
    accumulator.add({"messageStart": {"role": "assistant"}})
    for index, block in enumerate(blocks):
        for event in data.draw(converse_events(index, block)):
            accumulator.add(event)
    accumulator.add({"messageStop": {"stopReason": "end_turn"}})
    message = {"role": "assistant", "content": blocks}
    assert read_response(accumulator.result()) == read_response(
        {"output": {"message": message}, "stopReason": "end_turn"}
    )


def cohere_event(kind: str, index: int = 0, **message: Any) -> dict[str, Any]:
    return {"type": kind, "index": index, "delta": {"message": message}}


@few
@given(
    data=st.data(),
    plan=st.none() | texts,
    items=st.lists(st.tuples(st.sampled_from(["text", "thinking"]), texts), min_size=1, max_size=3),
    calls=st.lists(texts, max_size=2),
    cited_texts=st.lists(texts, max_size=2),
)
def test_coheres_messages(
    data: st.DataObject, plan: str | None, items: list[tuple[str, str]], calls: list[str], cited_texts: list[str]
) -> None:
    """Plan, content, tool calls and citations are read as well from their events."""
    citations = [{"text": each, "sources": [{"type": "document", "document": {"title": "T"}}]} for each in cited_texts]
    written = [{"id": f"t{n}", "function": {"name": "search", "arguments": each}} for n, each in enumerate(calls)]
    message = {
        "role": "assistant",
        "tool_plan": plan,
        "content": [{"type": kind, kind: text} for kind, text in items],
        "tool_calls": written,
        "citations": citations,
    }
    events = [cohere_event("tool-plan-delta", tool_plan=each) for each in data.draw(pieces_of(plan or "x")) if plan]
    for index, (kind, text) in enumerate(items):
        events.append(cohere_event("content-start", index, content={"type": kind, kind: ""}))
        said = data.draw(pieces_of(text))
        events += [cohere_event("content-delta", index, content={kind: each}) for each in said]
    for index, call in enumerate(written):
        empty = {"id": call["id"], "function": {"name": "search", "arguments": ""}}
        events.append(cohere_event("tool-call-start", index, tool_calls=empty))
        said = data.draw(pieces_of(calls[index]))
        events += [
            cohere_event("tool-call-delta", index, tool_calls={"function": {"arguments": each}}) for each in said
        ]
    events += [cohere_event("citation-start", index, citations=each) for index, each in enumerate(citations)]
    events.append({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}})
    whole = plain(cohere.ADAPTERS[0], {"id": "r", "message": message, "finish_reason": "COMPLETE"})
    assert streamed(cohere.ADAPTERS[1], events) == whole


GOOGLE_PARTS = st.one_of(
    texts.map(lambda text: {"text": text}),
    texts.map(lambda text: {"text": text, "thought": True}),
    arguments.map(lambda found: {"functionCall": {"name": "search", "args": found}}),
    texts.map(lambda text: {"codeExecutionResult": {"output": text}}),
)


@st.composite
def google_chunks(draw: st.DrawFn, part: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a part in the pieces that chunks may hold."""
    if "text" in part:
        return [{**part, "text": each} for each in draw(pieces_of(part["text"]))]
    if "functionCall" in part and draw(st.booleans()):
        found: dict[str, str] = part["functionCall"]["args"]
        said = [
            {"jsonPath": f"$.{name}", "stringValue": each}
            for name, text in found.items()
            for each in draw(pieces_of(text))
        ]
        started = {"functionCall": {"name": "search", "willContinue": True}}
        return [
            started,
            *({"functionCall": {"partialArgs": [each], "willContinue": True}} for each in said),
            {"functionCall": {}},
        ]
    return [part]


@few
@given(data=st.data(), parts=st.lists(GOOGLE_PARTS, min_size=1, max_size=4), source=st.none() | texts)
def test_googles_candidates(data: st.DataObject, parts: list[dict[str, Any]], source: str | None) -> None:
    """Every part that a candidate may hold is read as well from its chunks."""
    found: dict[str, Any] = (
        {} if source is None else {"groundingMetadata": {"groundingChunks": [{"web": {"title": source}}]}}
    )
    end: dict[str, Any] = {"finishReason": "STOP", **found}
    chunks = [
        {"candidates": [{"content": {"role": "model", "parts": [each]}}]}
        for part in parts
        for each in data.draw(google_chunks(part))
    ]
    whole = {"candidates": [{"content": {"role": "model", "parts": parts}, **end}]}
    generate, stream = google.ADAPTERS[0], google.ADAPTERS[1]
    assert isinstance(generate, Adapter)
    assert isinstance(stream, Adapter)
    assert streamed(stream, [*chunks, {"candidates": [end]}]) == plain(generate, whole)


@few
@given(data=st.data(), text=texts, thought=st.none() | texts, calls=st.lists(arguments, max_size=2))
def test_ollamas_messages(data: st.DataObject, text: str, thought: str | None, calls: list[dict[str, str]]) -> None:
    """Text, thinking and tool calls are read as well from their chunks."""
    asked = [{"function": {"name": "search", "arguments": each}} for each in calls]
    message = {"role": "assistant", "content": text, "thinking": thought, "tool_calls": asked}
    said: list[dict[str, Any]] = [
        {"content": "", "thinking": each} for each in data.draw(pieces_of(thought or "x")) if thought
    ]
    said += [{"content": each} for each in data.draw(pieces_of(text))]
    said += [{"content": "", "tool_calls": [each]} for each in asked]
    chunks = [{"message": {"role": "assistant", **each}, "done": False} for each in said]
    end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
    assert streamed(ollama.CHAT, [*chunks, end]) == plain(ollama.CHAT, {**end, "message": message})


@few
@given(data=st.data(), text=texts, field=st.sampled_from(["outputText", "text", "generation", "completion"]))
def test_bodies_of_text_models(data: st.DataObject, text: str, field: str) -> None:
    """A text is read as well from its pieces, whatever the maker names it."""
    accumulator = text_models.TextAccumulator(REQUEST)
    for each in data.draw(pieces_of(text)):
        accumulator.add({field: each, "stop_reason": None})
    accumulator.add({field: "", "stop_reason": "stop"})
    whole = text_models.read_response({field: text, "stop_reason": "stop"})
    assert text_models.read_response(accumulator.result()).output == whole.output


ANTHROPIC_STREAM = [
    {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": {"input_tokens": 3}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "So."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"title": "T"}}},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "name": "f", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
]
CONVERSE_STREAM = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "So."}}},
    {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"citation": {"title": "T", "sourceContent": []}}}},
    {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolUse": {"name": "f", "toolUseId": "t"}}}},
    {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": "{}"}}}},
    {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"toolResult": [{"text": "x"}]}}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 3}, "trace": {"promptRouter": {"invokedModelId": "m"}}}},
]
COHERE_STREAM = [
    {"type": "message-start", "id": "m"},
    cohere_event("content-start", content={"type": "text", "text": ""}),
    cohere_event("content-delta", content={"text": "So."}),
    cohere_event("tool-call-start", tool_calls={"id": "t", "function": {"name": "f", "arguments": ""}}),
    cohere_event("tool-call-delta", tool_calls={"function": {"arguments": "{}"}}),
    cohere_event("citation-start", citations={"text": "So.", "sources": [{"document": {"title": "T"}}]}),
    {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": {"tokens": {"input_tokens": 3}}}},
]
GOOGLE_STREAM = [
    {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": "So.", "thought": False}]}}]},
    {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.q"}]}}]}}]},
    {"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "text/plain", "data": "x"}}]}}]},
    {"candidates": [{"finishReason": "STOP", "groundingMetadata": {"groundingChunks": [{"web": {"title": "T"}}]}}]},
    {"usageMetadata": {"promptTokenCount": 3}, "promptFeedback": {"blockReason": None}},
]
OLLAMA_STREAM = [
    {"message": {"role": "assistant", "content": "So.", "thinking": "Hm."}, "done": False},
    {"message": {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]}, "done": False},
    {"message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 5},
]
CONVERSE_READER = replace(converse.ADAPTER, response=read_response)
STREAMS: dict[str, tuple[Any, list[Any]]] = {
    "anthropic": (anthropic.ADAPTERS[0], ANTHROPIC_STREAM),
    "converse": (CONVERSE_READER, CONVERSE_STREAM),
    "cohere": (cohere.ADAPTERS[1], COHERE_STREAM),
    "google": (google.ADAPTERS[1], GOOGLE_STREAM),
    "ollama": (ollama.CHAT, OLLAMA_STREAM),
}
ODD_VALUES: list[Any] = [None, "", "x", [], ["x"], [None], {}, {"text": "x"}, {"x": {}}, 0, 28.0, True]


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place in JSON: the list or dict, and the index or key."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places_in(value[key])


@pytest.mark.parametrize("name", STREAMS)
def test_values_of_a_wrong_shape(name: str) -> None:
    """No value of an event can make a reader raise, whatever stands in its place."""
    adapter, events = STREAMS[name]
    for number in range(len(list(places_in(events)))):
        for odd in ODD_VALUES:
            damaged = copy.deepcopy(events)
            holder, key = list(places_in(damaged))[number]
            if holder is damaged:
                continue  # clients hand over objects alone
            holder[key] = odd
            for event in damaged:
                for choice, text, *part in adapter.streaming.deltas(event):
                    assert isinstance(choice, int)
                    assert isinstance(text, str)
                    assert all(isinstance(name, (int, str, type(None))) for name in part)
            for message in streamed(adapter, damaged):
                assert all(isinstance(part.type, str) for part in message.parts)


@pytest.mark.parametrize("odd", [None, [], {}, "hologram"])
def test_an_event_without_its_type(odd: Any) -> None:
    """An event of Anthropic's that names no known type is read by its fields."""
    adapter, events = STREAMS["anthropic"]
    damaged = [each | {"type": odd} if "delta" in each and "usage" not in each else each for each in events]
    assert streamed(adapter, damaged) == streamed(adapter, events)
    assert [text for each in damaged for text in adapter.streaming.deltas(each)] == [
        text for each in events for text in adapter.streaming.deltas(each)
    ]


@pytest.mark.parametrize(("first", "second"), [(0, 0), (None, None), (1, 0), (0, 2**40), (0.0, 1.0)])
def test_tool_calls_told_apart_by_their_start(first: Any, second: Any) -> None:
    """Two calls that start are two calls, whatever their indexes are."""
    calls = {
        "anthropic": [
            event
            for index, name in ((first, "f"), (second, "g"))
            for event in (
                {"type": "content_block_start", "index": index, "content_block": {"type": "tool_use", "name": name}},
                {
                    "type": "content_block_delta",
                    "index": index,
                    "delta": {"type": "input_json_delta", "partial_json": "1"},
                },
            )
        ],
        "converse": [
            event
            for index, name in ((first, "f"), (second, "g"))
            for event in (
                {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": {"name": name}}}},
                {"contentBlockDelta": {"contentBlockIndex": index, "delta": {"toolUse": {"input": "1"}}}},
            )
        ],
        "cohere": [
            event
            for index, name in ((first, "f"), (second, "g"))
            for event in (
                cohere_event("tool-call-start", index, tool_calls={"id": name, "function": {"name": name}}),
                cohere_event("tool-call-delta", index, tool_calls={"function": {"arguments": "1"}}),
            )
        ],
    }
    for name, events in calls.items():
        (message,) = streamed(STREAMS[name][0], events)
        found = {part.name: part.arguments for part in message.parts if isinstance(part, ToolCall)}
        assert found == {"f": 1, "g": 1}, name
