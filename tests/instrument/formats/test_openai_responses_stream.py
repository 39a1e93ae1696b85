"""Events of the Responses API: a response cut in any way and folded is the response, and each text is watched once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_shapes import cuts, replaced, texts
from openai_wire import response
from thorough import examples

from specspan.call import Part, Refusal, Request, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.formats.openai_responses import edit_output, read_output
from specspan.instrument.providers.openai.responses import ADAPTER

STREAMING = ADAPTER.streaming
assert STREAMING is not None


class Event:
    """Event of a stream, with the fields of a client's object."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.__dict__.update(fields)


def event(kind: Any, **fields: Any) -> Event:
    return Event({"type": f"response.{kind}", "sequence_number": 0, **fields})


def message(*content: Mapping[str, Any], id_: str = "m0") -> dict[str, Any]:
    return {"id": id_, "type": "message", "role": "assistant", "content": list(content)}


def text_part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": []}


@st.composite
def items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return output items, no text of which is part of another."""
    made: list[dict[str, Any]] = []
    for number in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(["message", "function_call", "custom_tool_call", "reasoning"]))
        unique = [f"{number}{place}{draw(texts)}{place}{number}" for place in "xy"[: draw(st.integers(1, 2))]]
        if kind == "message":
            parts = [
                text_part(text) if draw(st.booleans()) else {"type": "refusal", "refusal": text} for text in unique
            ]
            made.append(message(*parts, id_=f"m{number}"))
        elif kind == "reasoning":
            made.append({"id": f"r{number}", "type": kind, "summary": [{"type": "summary_text", "text": unique[0]}]})
        else:
            field = "input" if kind == "custom_tool_call" else "arguments"
            made.append({"id": f"f{number}", "call_id": f"c{number}", "type": kind, "name": "f", field: unique[0]})
    return made


def deltas_of(draw: st.DrawFn, index: int, item: Mapping[str, Any]) -> Iterator[Event]:
    """Yield the events in which an item arrives in pieces."""
    fields = {"message": "content", "reasoning": "summary"}
    if item["type"] not in fields:
        field = "input" if item["type"] == "custom_tool_call" else "arguments"
        yield event("output_item.added", output_index=index, item={**item, field: ""})
        kind = "custom_tool_call_input" if field == "input" else "function_call_arguments"
        for piece in cuts(draw, item[field]):
            yield event(f"{kind}.delta", output_index=index, delta=piece)
        return
    name = fields[item["type"]]
    yield event("output_item.added", output_index=index, item={**item, name: []})
    for place, part in enumerate(item[name]):
        kind = {"output_text": "output_text", "refusal": "refusal"}.get(part["type"], "reasoning_summary_text")
        at = {"output_index": index, "summary_index" if name == "summary" else "content_index": place}
        text = part.get("refusal") or part["text"]
        for piece in cuts(draw, text):
            yield event(f"{kind}.delta", **at, delta=piece)
        if kind != "reasoning_summary_text" and draw(st.booleans()):
            yield event(f"{kind}.done", **at, **{"refusal" if kind == "refusal" else "text": text})
        if kind != "reasoning_summary_text" and draw(st.booleans()):
            yield event("content_part.done", **at, part=part)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Event]]:
    """Return output items, and events in which each arrives in deltas, whole, or both."""
    output = draw(items())
    events = [event("created", response=response(output=[], status="in_progress", usage=None))]
    is_whole_at_end = draw(st.booleans())
    for index, item in enumerate(output):
        ways = draw(st.sampled_from([("deltas",), ("done",), ("deltas", "done"), *([()] if is_whole_at_end else [])]))
        if "deltas" in ways:
            events += deltas_of(draw, index, item)
        if "done" in ways:
            events.append(event("output_item.done", output_index=index, item=item))
    events.append(event("completed", response=response(output=output if is_whole_at_end else [])))
    return output, events


def fold(events: Sequence[Event]) -> tuple[list[Part], list[str]]:
    """Return the parts that a stream adds up to, and the sequences of text that its check sees."""
    assert STREAMING is not None
    assert STREAMING.new_texts is not None
    accumulator = STREAMING.accumulator(Request("test"))
    sequences: dict[Any, str] = {}
    for each in events:
        before = list(STREAMING.new_texts(accumulator, each))
        accumulator.add(each)
        assert list(STREAMING.new_texts(accumulator, each)) == before
        for choice, text, *part in before:
            place = choice, *part
            sequences[place] = sequences.get(place, "") + text
    read = ADAPTER.response(accumulator.result())
    assert read is not None
    return [part for each in read.output for part in each.parts], list(sequences.values())


@settings(max_examples=examples(80))
@given(stream=streams())
def test_a_stream_adds_up_to_the_response(stream: tuple[list[dict[str, Any]], list[Event]]) -> None:
    """All parts are those of the plain response, and every text is watched, once."""
    output, events = stream
    parts, sequences = fold(events)
    plain = read_output(output, None).parts
    assert parts == list(plain)
    for part in plain:
        if isinstance(part, (Text, Refusal)):
            assert sum(sequence.count(part.content) for sequence in sequences) == 1


AT = {"output_index": 0, "content_index": 0}
WHOLE: Mapping[str, Event] = {
    "text.done": event("output_text.done", **AT, text="Hello there"),
    "refusal.done": event("refusal.done", **AT, refusal="Hello there"),
    "part.added": event("content_part.added", **AT, part=text_part("Hello there")),
    "part.done": event("content_part.done", **AT, part=text_part("Hello there")),
    "item.added": event("output_item.added", output_index=0, item=message(text_part("Hello there"))),
    "item.done": event("output_item.done", output_index=0, item=message(text_part("Hello there"))),
    "in_progress": event("in_progress", response=response("Hello there", status="in_progress")),
    "completed": event("completed", response=response("Hello there")),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_text_that_only_arrives_whole_is_watched(name: str) -> None:
    """Only what its deltas did not say is new, and all of it stays in the record."""
    events = [event("output_text.delta", **AT, delta="Hello"), WHOLE[name], event("completed", response=response())]
    parts, sequences = fold(events)
    assert sequences == ["Hello there"]
    assert "Hello there" in [part.content for part in parts if isinstance(part, (Text, Refusal))]


def test_a_whole_text_that_is_another_than_its_deltas_is_watched_whole() -> None:
    """Both were handed over, and both are recorded."""
    parts, sequences = fold([event("output_text.delta", **AT, delta="Hello"), WHOLE["text.done"], *[
        event("output_text.done", **AT, text="Farewell")]])  # fmt: skip
    assert sequences == ["Hello there", "Farewell"]
    assert {part.content for part in parts if isinstance(part, Text)} == {"Hello there", "Farewell"}


def test_a_text_that_another_interrupts_is_watched_together() -> None:
    """Pieces of one part are joined, whatever stands between them."""
    pieces = [(0, "ab"), (1, "x"), (0, "cd"), (1, "y"), (0, "ef")]
    events = [event("output_text.delta", output_index=0, content_index=place, delta=text) for place, text in pieces]
    _, sequences = fold(events)
    assert sequences == ["abcdef", "xy"]


def test_a_new_item_at_a_used_index_is_another() -> None:
    """Two calls at one index are two, also where the response itself lists none."""
    calls = [
        {"id": f"f{n}", "call_id": f"c{n}", "type": "function_call", "name": "f", "arguments": "1"} for n in (0, 1)
    ]
    for index in (0, None):
        events = [event("output_item.added", output_index=index, item=call) for call in calls]
        parts, _ = fold([*events, event("completed", response=response())])
        assert [part.id for part in parts if isinstance(part, ToolCall)] == ["c0", "c1"]


FULL_OUTPUT: list[dict[str, Any]] = [
    message({**text_part("a"), "annotations": [{"type": "url_citation", "title": "b"}]}),
    {"type": "file_search_call", "id": "1", "queries": ["d"], "results": [{"text": "e", "filename": "f"}]},
    {"type": "code_interpreter_call", "id": "2", "code": "g", "outputs": [{"type": "logs", "logs": "h"}]},
    {"type": "mcp_call", "id": "3", "name": "i", "arguments": "{}", "output": "j", "error": "k"},
    {"type": "mcp_list_tools", "id": "4", "tools": [{"name": "l", "description": "m"}]},
    {"type": "shell_call_output", "id": "5", "call_id": "5", "output": [{"stdout": "n", "stderr": ""}]},
    {"type": "image_generation_call", "id": "6", "revised_prompt": "o", "result": ""},
    {"type": "compaction", "id": "7", "encrypted_content": "p"},
]  # fmt: skip


def test_what_a_tool_of_the_service_answered_is_read() -> None:
    """Citations, search results, logs, errors and descriptions are results of tools; a compaction cannot be read."""
    parts = read_output(FULL_OUTPUT, None).parts
    results = [part.response for part in parts if isinstance(part, ToolCallResponse)]
    assert results == ["b", "e", "f", "h", "j", "k", "l", "m", "n", "o"]
    assert parts[-1] == Unknown("compaction")
    pointers = {f"/output/0/parts/{i}": "X" for i, part in enumerate(parts) if isinstance(part, ToolCallResponse)}
    edited = read_output(edit_output(FULL_OUTPUT, pointers), None).parts
    assert [part.response for part in edited if isinstance(part, ToolCallResponse)] == ["X"] * len(results)


def test_no_value_of_another_shape_raises() -> None:
    """Whatever stands in place of a value of a response or of an event, and the next event is read."""
    number = 0
    for output in replaced(FULL_OUTPUT):
        ADAPTER.response(response(output=output))
        for kind in ("output_item.added", "output_item.done"):
            fold([event(kind, output_index=0, item=item) for item in output])
        number += 1
    whole = [*(vars(each) for each in WHOLE.values()), vars(event("output_text.delta", **AT, delta="x", item_id="m0"))]
    for fields in whole:
        for odd in replaced(fields):
            _, sequences = fold([Event(odd), event("output_text.delta", **AT, delta="AFTER")])
            assert any("AFTER" in sequence for sequence in sequences)
            number += 1
    assert number > 1000
