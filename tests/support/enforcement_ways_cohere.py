"""Ways through Cohere's second API."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, disguises, doors, malformed_bodies, malformed_chunks
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_cohere import BEGIN, body, end, event, start, stream, text, tool

way = partial(Way, wire="cohere")
called = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(called, **DENIED)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
whole = partial(way, is_edited=None)
STOP = event("content-end", 0)


def call(name: Any = "search", arguments: Any = "", index: Any = 0, id_: str = "t1") -> dict[str, Any]:
    """Return the event that starts a tool call."""
    return event("tool-call-start", index, tool_calls=tool(name, arguments, id_))


def more(arguments: Any, index: Any = 0) -> dict[str, Any]:
    """Return the event of a piece of a tool's arguments."""
    return event("tool-call-delta", index, tool_calls={"function": {"arguments": arguments}})


MALFORMED: dict[str, Any] = {
    "delta_null": {"type": "content-delta", "index": 0, "delta": None},
    "message_null": {"type": "content-delta", "index": 0, "delta": {"message": None}},
    "content_null": event("content-delta", 0, content=None),
    "content_text": event("content-delta", 0, content="x"),
    "content_list": event("content-delta", 0, content=[{"type": "text", "text": "x"}]),
    "text_null": text(None),
    "text_dict": text({"text": "x"}),
    "text_list": text(["x"]),
    "text_number": text(28.0),
    "index_null": text("x", None) | {"index": None},
    "index_missing": text("x", None),
    "index_text": text("x", "0"),
    "index_dict": text("x", {}),
    "start_text_dict": start(1, {}),
    "tool_name_null": call(None, "", 1),
    "tool_name_dict": call({}, "", 1),
    "tool_calls_null": event("tool-call-start", 1, tool_calls=None),
    "tool_calls_list": event("tool-call-start", 1, tool_calls=[tool()]),
    "arguments_dict": (call("search", "", 1), more({"q": "x"}, 1)),
    "arguments_null": (call("search", "", 1), more(None, 1)),
    "arguments_without_start": more("{}", 1),
    "start_again_null": {"type": "message-start", "id": None, "delta": None},
    "end_null": {"type": "message-end", "delta": None},
    "end_usage_list": end(usage=[1]),
    "end_reason_dict": end({}),
    "citation_null": {"type": "citation-start", "index": 0, "delta": None},
}
"""Events in which one value has a shape that no event should have."""

MALFORMED_BODIES: dict[str, Any] = {
    "content_text": body() | {"message": {"role": "assistant", "content": WORD}},
    "content_dict": body() | {"message": {"role": "assistant", "content": {"type": "text", "text": WORD}}},
    "content_null_item": body(None, WORD),
    "text_dict": body({"type": "text", "text": {"text": WORD}}),
    "text_list": body({"type": "text", "text": [WORD]}),
    "kind_missing": body({"text": WORD}),
    "kind_unknown": body({"type": "hologram", "text": WORD}),
    "usage_text": body(WORD, usage="x"),
    "reason_dict": body(WORD, why={}),
    "arguments_dict": body(tool_calls=[tool("search", {"q": WORD})]),
    "arguments_list": body(tool_calls=[tool("search", [WORD])]),
}
"""Bodies in which one value has a shape that no body should have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after the message is said to have ended."""
    said = (BEGIN, start(), text(BEFORE))
    rest = (text(WORD), text(AFTER), STOP, end())
    for name, why in (("end", "COMPLETE"), ("empty_end", ""), ("unknown_end", "EOS")):
        yield way(f"text_after_{name}", 2, sends=(*said, end(why), *rest), after=AFTER)
    yield way("text_after_block_end", 2, sends=(*said, STOP, *rest), after=AFTER)
    yield way("no_end", 2, sends=(*said, text(WORD), text(AFTER)), after=AFTER)
    late = (call("search", WORD), event("tool-call-end", 0), end("TOOL_CALL"))
    yield called("tool_after_end", 2, sends=(*said, STOP, end(), *late))
    yield clean("text_after_end_clean", 2, sends=(*said, end(), text(AFTER), STOP, end()))


def _parts() -> Iterator[Way]:
    """Yield streams whose parts are not told apart by their index alone."""
    for name, (one, two) in {"one_index": (0, 0), "missing_indexes": (None, None), "out_of_order": (1, 0)}.items():
        sends = (BEGIN, call("search", "{}", one), call("forbidden_tool", "{}", two, "t2"), end("TOOL_CALL"))
        yield denied(f"two_calls_{name}", 3, sends=sends)
        apart = (BEGIN, call("search", '{"q": "FORB', one), call("search", 'IDDEN"}', two, "t2"), end("TOOL_CALL"))
        yield clean(f"two_calls_{name}_apart", 3, sends=apart)
    yield way("text_without_start", 3, sends=(BEGIN, text(BEFORE), text("FORB"), text("IDDEN"), end()))
    mixed = (BEGIN, start(), start(1), text("FORB"), text("x", 1), text("IDDEN"), end())
    yield way("interleaved_texts", 3, sends=mixed, before=None)
    spread = partial(way, is_spread=True, is_edited=None)
    tools = (call("search", "{}", 0), event("tool-call-end", 0))
    halves = (BEGIN, start(), text(BEFORE + "FORB"), STOP, *tools, start(1), text("IDDEN", 1), end())
    yield spread("parts_with_a_tool_between_stream", 10, sends=halves)
    alone = partial(way, is_edited=None, pattern={"any": [rf"\b{WORD}\b"]})
    pieces = (BEGIN, start(), text(BEFORE + "x"), STOP, start(1), text("FORB", 1), text("IDDEN", 1), end())
    yield alone("part_by_itself_stream", 10, sends=pieces)


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    yield called("tool", 4, sends=body(tool_calls=[tool("search", WORD)]))
    yield called("tool_stream", 4, sends=(BEGIN, call(), more("FORB"), more("IDDEN"), end("TOOL_CALL")))
    yield called("tool_whole_in_start", 4, sends=(BEGIN, call("search", WORD), end("TOOL_CALL")))
    yield whole("text_in_block_start", 5, sends=(BEGIN, start(0, WORD), text(AFTER), STOP, end()), before=None,
                after=AFTER)  # fmt: skip


def _gaps() -> Iterator[Way]:
    """Yield answers with text in places that a reader may not know."""
    source = {"type": "document", "id": "d", "document": {"id": "d", "title": "x"}}
    cited = {"start": 0, "end": 1, "text": WORD, "sources": [source], "type": "TEXT_CONTENT"}
    titled = cited | {"text": "x", "sources": [source | {"document": {"id": "d", "title": WORD}}]}
    for name, each in (("citation_text", cited), ("citation_title", titled)):
        yield whole(name, 5, sends=body(BEFORE, citations=[each]))
        yield whole(f"{name}_stream", 5, sends=(BEGIN, start(), text(BEFORE), event("citation-start", 0,
                    citations=each), STOP, end()))  # fmt: skip
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    yield way("plan", 5, sends=body(BEFORE, tool_plan=WORD), pattern=asked, actions=("block",))
    yield way("plan_stream", 5, sends=(BEGIN, event("tool-plan-delta", tool_plan=WORD), start(), text(BEFORE), STOP,
              end()), pattern=asked, before=None, actions=("block",))  # fmt: skip
    yield way("thinking", 5, sends=body({"type": "thinking", "thinking": WORD}, BEFORE), pattern=asked,
              actions=("block",))  # fmt: skip
    yield clean("plan_unasked", 5, sends=body(BEFORE, tool_plan=WORD))


def _more() -> Iterator[Way]:
    """Yield the ways of parts 10 and 12."""
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=body(f'{{"a": "{written}"}}'), forbidden=written, before='{"a": "')
    yield way("json_escape_stream", 10, sends=stream('{"a": "', "F\\u0", '04fRBIDDEN"}'), forbidden=written,
              before='{"a": "')  # fmt: skip
    yield whole("neighbouring_parts", 10, sends=body(BEFORE, "FORB", "IDDEN"), is_spread=True)
    halves = (BEGIN, start(), text(BEFORE + "FORB"), STOP, start(1), text("IDDEN", 1), event("content-end", 1), end())
    yield whole("neighbouring_parts_stream", 10, sends=halves, is_spread=True)
    counted = {"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5}
    floats = {"tokens": {"input_tokens": 28.0, "output_tokens": 5.0}}
    yield clean("float_counts", 12, sends=body("x", usage=floats), facts=counted)
    billed = {"billed_units": {"input_tokens": 28.0, "output_tokens": 5.0}}
    yield clean("float_billed_units", 12, sends=body("x", usage=billed), facts=counted)


WAYS = (
    *malformed_chunks("cohere", MALFORMED, (BEGIN, start(), text(BEFORE)), (text(WORD), text(AFTER), STOP, end())),
    *malformed_bodies("cohere", MALFORMED_BODIES),
    *_finishes(),
    *_parts(),
    *_shapes(),
    *_gaps(),
    *doors("cohere", ("door_lines",)),
    *_more(),
    *disguises("cohere"),
)
