"""Ways through Anthropic's messages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, disguises, doors, malformed_bodies, malformed_chunks, unread
from enforcement_stainless import DOORS
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_anthropic import (
    END,
    arguments,
    begin,
    blocks,
    body,
    delta,
    reason,
    start,
    stop,
    stream,
    text,
    tool,
)
from pydantic import BaseModel

way = partial(Way, wire="anthropic")
called = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(called, **DENIED)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
alone = partial(way, is_edited=None, pattern={"any": [rf"\b{WORD}\b"]})
SEARCHED = {"type": "web_search_result", "title": "x", "url": "u", "encrypted_content": "x", "page_age": None}


class Answer(BaseModel):
    """The shape that ``parse`` asks for."""

    text: str


MALFORMED: dict[str, Any] = {
    "delta_null": delta(None),
    "delta_list": delta([]),
    "text_null": delta({"type": "text_delta", "text": None}),
    "text_dict": delta({"type": "text_delta", "text": {"text": "x"}}),
    "text_list": delta({"type": "text_delta", "text": ["x"]}),
    "text_number": delta({"type": "text_delta", "text": 28.0}),
    "text_missing": delta({"type": "text_delta"}),
    "delta_kind_missing": delta({"text": "x"}),
    "delta_kind_dict": delta({"type": {}, "text": "x"}),
    "partial_json_dict": (start(tool("search", {}), 1), arguments({"q": "x"}, 1)),
    "partial_json_null": (start(tool("search", {}), 1), arguments(None, 1)),
    "partial_json_on_text": arguments("{}"),
    "index_null": delta("x", None),
    "index_text": delta("x", "0"),
    "index_dict": delta("x", {}),
    "index_list": delta("x", []),
    "index_far": delta("x", 2**40),
    "index_missing": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}},
    "block_null": start(None, 1),
    "block_text": start("x", 1),
    "block_list": start([], 1),
    "block_kind_dict": start({"type": {}}, 1),
    "block_text_dict": start(text({}), 1),
    "tool_name_null": start(tool(None, {}), 1),
    "tool_name_list": start(tool(["search"], {}), 1),
    "tool_input_text": start(tool("search", "x"), 1),
    "tool_input_list": start(tool("search", [1]), 1),
    "start_again_null": {"type": "message_start", "message": None},
    "start_again_list": {"type": "message_start", "message": []},
    "start_content_null": begin(content=None),
    "start_usage_list": begin(usage=[1]),
    "stop_reason_dict": reason({}),
    "stop_reason_list": reason(["end_turn"]),
    "message_delta_null": {"type": "message_delta", "delta": None, "usage": None},
    "usage_text": {"type": "message_delta", "delta": {}, "usage": "x"},
    "ping_null": {"type": "ping", "delta": None},
}
"""Events in which one value has a shape that no event should have."""

MALFORMED_BODIES: dict[str, Any] = {
    "content_text": body(content=WORD),
    "content_dict": body(content=text(WORD)),
    "content_null_item": body(None, text(WORD)),
    "content_text_item": body(WORD),
    "text_dict": body(text({"text": WORD})),
    "text_list": body(text([WORD])),
    "kind_missing": body({"text": WORD}),
    "kind_null": body({"type": None, "text": WORD}),
    "usage_text": body(text(WORD), usage="x"),
    "stop_reason_dict": body(text(WORD), stop_reason={}),
    "arguments_text": body(tool("search", WORD)),
    "arguments_list": body(tool("search", [WORD])),
    "role_null": body(text(WORD), role=None),
}
"""Bodies in which one value has a shape that no body should have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after the model is said to have stopped."""
    said = (begin(), start(text("")), delta(BEFORE))
    rest = (delta(WORD), delta(AFTER), stop(), *END)
    for name, why in (("reason", "end_turn"), ("empty_reason", ""), ("null_reason", None), ("unknown_reason", "eos")):
        yield way(f"text_after_{name}", 2, sends=(*said, reason(why), *rest), after=AFTER)
    yield way("text_after_message_stop", 2, sends=(*said, stop(), *END, start(text(""), 1), delta(WORD, 1), *END))
    yield way("text_after_block_stop", 2, sends=(*said, stop(), delta(WORD), stop(), *END))
    started = (begin(stop_reason="end_turn"), start(text("")), delta(BEFORE))
    yield way("reason_in_message_start", 2, sends=(*started, *rest), after=AFTER)
    yield called("tool_after_reason", 2, sends=(*said, stop(), reason(), start(tool("search", {}), 1),
                 arguments(f'"{WORD}"', 1), stop(1), reason("tool_use"), {"type": "message_stop"}))  # fmt: skip
    yield way("no_end", 2, sends=(*said, delta(WORD), delta(AFTER)), after=AFTER)
    second = (begin(), start(text("")), delta(WORD), stop(), *END)
    yield way("second_message", 2, sends=(*said, stop(), *END, *second))
    yield clean("text_after_reason_clean", 2, sends=(*said, reason(), delta(AFTER), stop(), *END))


def _parts() -> Iterator[Way]:
    """Yield streams whose blocks are not told apart by their index alone."""
    use, other = tool("search", {}), tool("forbidden_tool", {}, "t2")
    ended = (reason("tool_use"), {"type": "message_stop"})
    for name, (first, second) in {
        "one_index": (0, 0),
        "null_indexes": (None, None),
        "out_of_order": (1, 0),
        "far_apart": (0, 2**40),
        "negative": (0, -1),
    }.items():
        sends = (begin(), start(use, first), arguments("{}", first), stop(first), start(other, second),
                 arguments("{}", second), stop(second), *ended)  # fmt: skip
        yield denied(f"two_calls_{name}", 3, sends=sends)
        apart = (begin(), start(use, first), arguments('{"q": "FORB', first), start(tool("search", {}, "t2"), second),
                 arguments('IDDEN"}', second), *ended)  # fmt: skip
        yield clean(f"two_calls_{name}_apart", 3, sends=apart)
    yield denied("missing_indexes", 3, sends=(begin(), *({"type": "content_block_start", "content_block": each}
                 for each in (use, other)), *ended))  # fmt: skip
    yield denied("text_then_tool_at_one_index", 3, sends=(begin(), start(text("")), delta("x"), start(other), *ended))
    yield way("tool_then_text_at_one_index", 3, sends=(begin(), start(use), arguments("{}"), start(text("")),
              delta(BEFORE), delta(WORD), *ended))  # fmt: skip
    yield way("text_without_start", 3, sends=(begin(), delta(BEFORE), delta("FORB"), delta("IDDEN"), *END))
    mixed = (begin(), start(text("")), start(text(""), 1), delta("FORB"), delta("x", 1), delta("IDDEN"), stop(), *END)
    yield way("interleaved_texts", 3, sends=mixed, before=None)
    again = (begin(), start(text("")), delta(BEFORE + "FORB "), stop(), start(text("")), delta(" IDDEN"), stop(), *END)
    yield clean("new_start_at_a_used_index_apart", 3, sends=again)


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    for kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        block = tool("search", {"q": WORD}, kind=kind)
        yield called(f"{kind}", 4, sends=body(block), modes=("beta",))
        pieces = tuple({"type": "input_json_delta", "partial_json": each} for each in ('{"q": "FORB', 'IDDEN"}'))
        yield called(f"{kind}_stream", 4, sends=blocks((tool("search", {}, kind=kind), *pieces)),
                     modes=("beta_stream",))  # fmt: skip
        yield called(f"{kind}_whole_in_start", 4, sends=blocks((block,)), modes=("beta_stream",))
        named = tool("forbidden_tool", {}, kind=kind)
        yield denied(f"{kind}_name_stream", 4, sends=blocks((named,)), modes=("beta_stream",))


def _gaps() -> Iterator[Way]:
    """Yield answers with text in places that a reader may not know."""
    yield way("text_in_message_start", 5, sends=(begin(content=[text(WORD)]), *END), before=None, is_edited=None)
    yield way("text_in_block_start", 5, sends=(begin(), start(text(WORD)), delta(AFTER), stop(), *END), before=None,
              after=AFTER, is_edited=None)  # fmt: skip
    halves = (begin(), start(text(BEFORE + "FORB")), delta("IDDEN"), stop(), *END)
    yield way("text_half_in_block_start", 5, sends=halves, is_spread=True)
    cited = {"type": "char_location", "cited_text": WORD, "document_index": 0, "document_title": "x",
             "start_char_index": 0, "end_char_index": 1}  # fmt: skip
    titled = cited | {"cited_text": "x", "document_title": WORD}
    found = {"type": "web_search_result_location", "cited_text": "x", "encrypted_index": "x", "title": WORD, "url": "u"}
    maybe = partial(way, is_edited=None)
    for name, each in (("cited_text", cited), ("document_title", titled), ("search_title", found)):
        yield maybe(f"citation_{name}", 5, sends=body(text(BEFORE, citations=[each])))
        piece = {"type": "citations_delta", "citation": each}
        yield maybe(f"citation_{name}_stream", 5, sends=blocks((text(""), BEFORE, piece)))
        yield maybe(f"citation_{name}_in_start", 5, sends=blocks((text("", citations=[each]), BEFORE)), before=None)
    yield from _results()
    yield from unread("anthropic", {
        "unknown_block": body(text(BEFORE), {"type": "hologram", "caption": WORD}),
        "unknown_block_stream": blocks((text(""), BEFORE), ({"type": "hologram", "caption": WORD},)),
        "unknown_delta": blocks((text(""), BEFORE, {"type": "hologram_delta", "caption": WORD})),
        "unknown_result": body(text(BEFORE), {"type": "hologram_tool_result", "tool_use_id": "t", "content":
                               [{"type": "hologram", "caption": WORD}]}),
    })  # fmt: skip
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    thought = {"type": "thinking", "thinking": WORD, "signature": "s"}
    piece = {"type": "thinking_delta", "thinking": WORD}
    yield way("thinking", 5, sends=body(thought, text(BEFORE)), pattern=asked, actions=("block",))
    yield way("thinking_stream", 5, sends=blocks((thought | {"thinking": ""}, piece), (text(""), BEFORE)),
              pattern=asked, before=None, actions=("block",))  # fmt: skip
    yield clean("thinking_unasked", 5, sends=body(thought, text(BEFORE)))
    hidden = {"type": "redacted_thinking", "data": "x"}
    unseen = partial(clean, pattern=asked, verdicts=("unassessed",), actions=("openblock",))
    yield unseen("redacted_thinking", 5, sends=body(hidden, text(BEFORE)))
    yield unseen("redacted_thinking_stream", 5, sends=blocks((hidden,), (text(""), BEFORE)))
    yield clean("redacted_thinking_unasked", 5, sends=body(hidden, text(BEFORE)))


def _results() -> Iterator[Way]:
    """Yield what the service's own tools gave, which is handed over with the answer."""
    searched = {"type": "web_search_result", "title": WORD, "url": "u", "encrypted_content": "x", "page_age": None}
    document = {"type": "document", "title": None, "source": {"type": "text", "media_type": "text/plain", "data": WORD}}
    fetched = {"type": "web_fetch_result", "url": "u", "content": document, "retrieved_at": None}
    ran = {"type": "code_execution_result", "stdout": WORD, "stderr": "", "return_code": 0, "content": []}
    results: dict[str, dict[str, Any]] = {
        "mcp_tool_result": {"type": "mcp_tool_result", "tool_use_id": "t", "is_error": False,
                            "content": [text(WORD)]},
        "mcp_tool_result_text": {"type": "mcp_tool_result", "tool_use_id": "t", "is_error": False, "content": WORD},
        "web_search": {"type": "web_search_tool_result", "tool_use_id": "t", "content": [searched]},
        "web_fetch": {"type": "web_fetch_tool_result", "tool_use_id": "t", "content": fetched},
        "code_execution": {"type": "code_execution_tool_result", "tool_use_id": "t", "content": ran},
        "bash": {"type": "bash_code_execution_tool_result", "tool_use_id": "t",
                 "content": ran | {"type": "bash_code_execution_result"}},
        "compaction": {"type": "compaction", "content": WORD},
        "document": document,
    }  # fmt: skip
    for name, block in results.items():
        yield way(f"{name}_result", 5, sends=body(text(BEFORE), block), modes=("beta",), is_edited=None)
        yield way(f"{name}_result_stream", 5, sends=blocks((text(""), BEFORE), (block,)), modes=("beta_stream",),
                  is_edited=None)  # fmt: skip
    summary = {"type": "compaction_delta", "content": WORD}
    yield way("compaction_delta", 5, sends=blocks(({"type": "compaction", "content": None}, summary)),
              modes=("beta_stream",), before=None, is_edited=None)  # fmt: skip


def _parses() -> Iterator[Way]:
    """Yield answers on which the client's ``parse`` raises."""
    asked = {"output_format": Answer}
    facts = {"gen_ai.response.id": "msg_1", "gen_ai.response.model": "claude-test-2026", "gen_ai.usage.input_tokens": 3,
             "gen_ai.usage.output_tokens": 5}  # fmt: skip
    raising = partial(way, modes=("parse", "async_parse"), request=asked, raises="ValidationError", facts=facts,
                      actions=("block",), before=None)  # fmt: skip
    yield raising("validation", 9, sends=body(text(f'{{"words": "{WORD}"}}')))
    yield raising("validation_clean", 9, sends=body(text('{"words": "x"}')), forbidden=None, verdicts=("complied",))
    cut = body(text(f'{{"text": "{WORD}'), stop_reason="max_tokens")
    yield raising("validation_cut_short", 9, sends=cut)


def _disguises() -> Iterator[Way]:
    """Yield forbidden text that is written around the pattern."""
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=body(text(f'{{"a": "{written}"}}')), forbidden=written, before='{"a": "')
    yield way("json_escape_stream", 10, sends=stream('{"a": "', "F\\u0", '04fRBIDDEN"}'), forbidden=written,
              before='{"a": "')  # fmt: skip
    yield called("json_escape_in_arguments_stream", 10, sends=(begin(), start(tool("search", {})),
                 arguments(f'{{"q": "{written}"}}'), stop(), *END), forbidden=written)  # fmt: skip
    spread = partial(way, is_spread=True, is_edited=None)
    yield spread("neighbouring_parts", 10, sends=body(text(BEFORE), text("FORB"), text("IDDEN")))
    yield spread("neighbouring_parts_stream", 10, sends=blocks((text(""), BEFORE + "FORB"), (text(""), "IDDEN")))
    use, found = tool("search", {}), {"type": "web_search_tool_result", "tool_use_id": "t", "content": []}
    for name, between in (("tool", use), ("result", found | {"content": [SEARCHED]})):
        sends = body(text(BEFORE + "FORB"), between, text("IDDEN"))
        yield spread(f"parts_with_a_{name}_between", 10, sends=sends)
        pieces = blocks((text(""), BEFORE + "FORB"), (between,), (text(""), "IDDEN"))
        yield spread(f"parts_with_a_{name}_between_stream", 10, sends=pieces)
    yield alone("part_by_itself", 10, sends=body(text(BEFORE + "x"), text(WORD)))
    yield alone("part_by_itself_stream", 10, sends=blocks((text(""), BEFORE + "x"), (text(""), "FORB", "IDDEN")))
    again = (
        begin(),
        start(text("")),
        delta(BEFORE + "x"),
        stop(),
        start(text("")),
        delta("FORB"),
        delta("IDDEN"),
        *END,
    )
    yield alone("part_by_itself_at_a_used_index", 10, sends=again)


def _facts() -> Iterator[Way]:
    """Yield answers of which the record must be right."""
    counted = partial(clean, facts={"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5})
    floats = {"input_tokens": 28.0, "output_tokens": 5.0}
    yield counted("float_counts", 12, sends=body(text("x"), usage=floats))
    yield counted("float_counts_stream", 12, sends=(begin(usage=floats), start(text("")), delta("x"), stop(), *END))
    steps = [{"type": "compaction", "input_tokens": 100, "output_tokens": 50},
             {"type": "message", "input_tokens": 3, "output_tokens": 5}]  # fmt: skip
    compacted = {"gen_ai.usage.input_tokens": 103, "gen_ai.usage.output_tokens": 55}
    usage = {"input_tokens": 3, "output_tokens": 5, "iterations": steps}
    yield clean("compaction_tokens", 12, sends=body(text("x"), usage=usage), facts=compacted, modes=("beta",))
    ended = ({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}, {"type": "message_stop"})
    yield clean("compaction_tokens_stream", 12, sends=(begin(), start(text("")), delta("x"), stop(), *ended),
                facts=compacted, modes=("beta_stream",))  # fmt: skip
    failed = (begin(), start(text("")), delta("x"), {"type": "error", "error": {"type": "overloaded_error",
              "message": "busy"}})  # fmt: skip
    yield clean("error_event_in_bytes", 12, sends=failed, modes=("streaming_response_stream",),
                verdicts=("complied", "unassessed"), facts={"error.type": ...})  # fmt: skip


WAYS = (
    *malformed_chunks("anthropic", MALFORMED, (begin(), start(text("")), delta(BEFORE)),
                      (delta(WORD), delta(AFTER), stop(), *END)),
    *malformed_bodies("anthropic", MALFORMED_BODIES),
    *_finishes(),
    *_parts(),
    *_shapes(),
    *_gaps(),
    *doors("anthropic", (*DOORS, "helper_door")),
    way("helper_snapshot", 8, sends=stream(BEFORE, WORD, AFTER), modes=("helper_snapshot",), before=None),
    *_parses(),
    *_disguises(),
    *disguises("anthropic"),
    *_facts(),
)  # fmt: skip
