"""Ways through OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, disguises, doors, malformed_bodies, malformed_chunks, unread
from enforcement_stainless import DOORS
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_openai_responses import (
    added,
    begin,
    body,
    closed,
    delta,
    done,
    end,
    event,
    message,
    opened,
    part,
    stream,
    tool,
)
from pydantic import BaseModel

way = partial(Way, wire="openai_responses")
called = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(called, **DENIED)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
whole = partial(way, is_edited=None)
AT: dict[str, Any] = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


class Answer(BaseModel):
    """The shape that ``parse`` asks for."""

    text: str


MALFORMED: dict[str, Any] = {
    "delta_null": delta(None),
    "delta_number": delta(28.0),
    "delta_dict": delta({"text": "x"}),
    "delta_list": delta(["x"]),
    "delta_missing": event("output_text.delta", **AT),
    "output_index_null": delta("x", None),
    "output_index_text": delta("x", "0"),
    "output_index_dict": delta("x", {}),
    "output_index_list": delta("x", []),
    "content_index_null": delta("x", content_index=None),
    "content_index_dict": delta("x", content_index={}),
    "indexes_missing": event("output_text.delta", delta="x"),
    "item_null": added(None, 1),
    "item_text": added("x", 1),
    "item_kind_dict": added({"type": {}}, 1),
    "item_content_null": added(message() | {"content": None}, 1),
    "item_content_text": added(message() | {"content": "x"}, 1),
    "item_content_null_item": added(message() | {"content": [None]}, 1),
    "tool_name_null": added(tool(None), 1),
    "tool_name_dict": added(tool({}), 1),
    "tool_arguments_dict": added(tool("search", {"q": "x"}), 1),
    "arguments_delta_dict": (added(tool("search", ""), 1), delta({"q": "x"}, 1, "function_call_arguments")),
    "part_null": event("content_part.added", **AT, part=None),
    "part_text": event("content_part.added", **AT, part="x"),
    "part_text_dict": event("content_part.added", **AT, part=part({})),
    "text_done_null": event("output_text.done", **AT, text=None),
    "text_done_dict": event("output_text.done", **AT, text={}),
    "created_again_null": event("created", response=None),
    "created_output_null": event("in_progress", response=body() | {"output": None}),
    "created_usage_list": event("in_progress", response=body() | {"usage": [1]}),
    "status_dict": event("in_progress", response=body() | {"status": {}}),
    "unknown_event": event("hologram.delta", **AT, delta="x"),
    "refusal_delta_dict": delta({}, kind="refusal"),
}
"""Events in which one value has a shape that no event should have."""

MALFORMED_BODIES: dict[str, Any] = {
    "output_null_item": body(None, message(WORD)),
    "output_text_item": body(WORD),
    "output_dict": body() | {"output": message(WORD)},
    "content_text": body(message() | {"content": WORD}),
    "content_null_item": body(message(None, WORD)),
    "content_dict": body(message() | {"content": part(WORD)}),
    "text_dict": body(message(part({"text": WORD}))),
    "text_list": body(message(part([WORD]))),
    "part_kind_missing": body(message({"text": WORD})),
    "item_kind_missing": body({"content": [part(WORD)], "role": "assistant"}),
    "status_dict": body(message(WORD), status={}),
    "usage_text": body(message(WORD), usage="x"),
    "arguments_dict": body(tool("search", {"q": WORD})),
    "arguments_list": body(tool("search", [WORD])),
}
"""Bodies in which one value has a shape that no body should have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after they are said to be complete."""
    said = (*opened(), delta(BEFORE))
    rest = (delta(WORD), delta(AFTER), end(message(BEFORE + WORD + AFTER)))
    ends = {
        "completed": end(message(BEFORE)),
        "incomplete": event("incomplete", response=body(message(BEFORE), status="incomplete")),
        "failed": event("failed", response=body(message(BEFORE), status="failed")),
        "text_done": event("output_text.done", **AT, text=BEFORE),
        "part_done": event("content_part.done", **AT, part=part(BEFORE)),
        "item_done": done(message(BEFORE)),
        "completed_without_status": end(message(BEFORE), status=None),
    }
    for name, ending in ends.items():
        yield way(f"text_after_{name}", 2, sends=(*said, ending, *rest), after=AFTER)
    started = (begin(status="completed"), *opened()[1:], delta(BEFORE))
    yield way("completed_from_the_start", 2, sends=(*started, *rest), after=AFTER)
    yield way("no_end", 2, sends=(*said, delta(WORD), delta(AFTER)), after=AFTER)
    late = (done(tool("search", WORD), 1), end(tool("search", WORD)))
    yield called("tool_after_completed", 2, sends=(*said, end(message(BEFORE)), added(tool("search", ""), 1),
                 delta(WORD, 1, "function_call_arguments"), *late))  # fmt: skip
    yield clean("text_after_completed_clean", 2, sends=(*said, end(message(BEFORE)), delta(AFTER), end()))


def _parts() -> Iterator[Way]:
    """Yield streams whose items are not told apart by their index alone."""
    first, second = tool(), tool("forbidden_tool", id_="fc_2")
    for name, (one, two) in {"one_index": (0, 0), "null_indexes": (None, None), "out_of_order": (1, 0)}.items():
        sends = (begin(), added(first, one), done(first, one), added(second, two), done(second, two))
        yield denied(f"two_calls_{name}", 3, sends=(*sends, end(first, second)))
        yield denied(f"two_calls_{name}_empty_end", 3, sends=(*sends, end()))
        arguments = "function_call_arguments"
        apart = (begin(), added(tool("search", ""), one), delta('{"q": "FORB', one, arguments),
                 added(tool("search", "", "fc_2"), two), delta('IDDEN"}', two, arguments), end())  # fmt: skip
        yield clean(f"two_calls_{name}_apart", 3, sends=apart)
    yield denied("text_then_tool_at_one_index", 3, sends=(*opened(), delta("x"), added(second), done(second), end()))
    yield way("text_without_start", 3, sends=(begin(), delta(BEFORE), delta("FORB"), delta("IDDEN"), end()))
    mixed = (*opened(), delta("FORB"), delta("x", 1), delta("IDDEN"), end())
    yield way("interleaved_items", 3, sends=mixed, before=None)
    mixed = (*opened(), delta("FORB"), delta("x", content_index=1), delta("IDDEN"), end())
    yield way("interleaved_parts", 3, sends=mixed, before=None)


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    kinds: dict[str, tuple[dict[str, Any], str, str]] = {
        "function_call": (tool("search", ""), "arguments", "function_call_arguments"),
        "custom_tool_call": ({"id": "c", "type": "custom_tool_call", "call_id": "c", "name": "search", "input": ""},
                             "input", "custom_tool_call_input"),
        "mcp_call": ({"id": "c", "type": "mcp_call", "name": "search", "server_label": "s", "arguments": ""},
                     "arguments", "mcp_call_arguments"),
        "code_interpreter_call": ({"id": "c", "type": "code_interpreter_call", "code": "", "container_id": "c",
                                   "status": "completed", "outputs": []}, "code", "code_interpreter_call_code"),
    }  # fmt: skip
    for name, (empty, field, kind) in kinds.items():
        full = empty | {field: f'{{"q": "{WORD}"}}'}
        pieces = (delta('{"q": "FORB', 0, kind), delta('IDDEN"}', 0, kind))
        yield called(name, 4, sends=body(full))
        yield called(f"{name}_stream", 4, sends=(begin(), added(empty), *pieces, done(full), end(full)))
        yield called(f"{name}_only_deltas", 4, sends=(begin(), added(empty), *pieces, end()))
        yield called(f"{name}_only_done", 4, sends=(begin(), added(empty), done(full), end()))
        yield called(f"{name}_only_completed", 4, sends=(begin(), end(full)))
    for name, sends in {
        "added": (begin(), added(tool("forbidden_tool")), end()),
        "done": (begin(), done(tool("forbidden_tool")), end()),
        "completed": (begin(), end(tool("forbidden_tool"))),
    }.items():
        yield denied(f"tool_name_only_{name}", 4, sends=sends)
    refusal = {"type": "refusal", "refusal": WORD}
    yield way("refusal", 4, sends=body(message(BEFORE, refusal)))
    refused = tuple(delta(each, kind="refusal") for each in (BEFORE, "FORB", "IDDEN", AFTER))
    yield way("refusal_stream", 4, sends=(*opened(), *refused, end()), after=AFTER)
    spoken = tuple(event("audio.transcript.delta", delta=each) for each in ("FORB", "IDDEN"))
    yield whole("audio_transcript_stream", 4, sends=(begin(), *spoken, end()), before=None)


def _whole_texts() -> Iterator[Way]:
    """Yield streams in which the text arrives whole, in one event."""
    at = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    said = (*opened(), delta(BEFORE))
    text = BEFORE + WORD + AFTER
    for name, each in {
        "part_added": event("content_part.added", **at | {"content_index": 1}, part=part(text)),
        "item_added": added(message(text), 1),
        "text_done": event("output_text.done", **at, text=text, logprobs=[]),
        "part_done": event("content_part.done", **at, part=part(text)),
        "item_done": done(message(text)),
        "completed": end(message(text)),
        "in_progress": event("in_progress", response=body(message(text))),
        "incomplete": event("incomplete", response=body(message(text), status="incomplete")),
        "refusal_done": event("refusal.done", **at, refusal=text),
    }.items():
        yield whole(f"text_only_in_{name}", 8, sends=(*said, each), after=AFTER)
    yield whole("text_only_in_created", 8, sends=(begin(output=[message(text)]), end()), before=None, after=AFTER)
    yield whole("done_differs_from_deltas", 8, sends=(*opened(), delta(BEFORE), *closed(text)), after=AFTER)
    yield way("everything_only_in_completed", 8, sends=(begin(), end(message(text))), before=None, after=AFTER,
              is_edited=None)  # fmt: skip


def _gaps() -> Iterator[Way]:
    """Yield answers with text in places that a reader may not know."""
    cited = {"type": "url_citation", "title": WORD, "url": "u", "start_index": 0, "end_index": 1}
    named = {"type": "file_citation", "filename": WORD, "file_id": "f", "index": 0}
    for name, each in (("url_citation_title", cited), ("file_citation_name", named)):
        full = message(part(BEFORE, [each]))
        yield whole(name, 5, sends=body(full))
        noted = event("output_text.annotation.added", **AT, annotation_index=0, annotation=each)
        yield whole(f"{name}_stream", 5, sends=(*opened(), delta(BEFORE), noted, done(full), end(full)))
    code = {"id": "c", "type": "code_interpreter_call", "code": "1", "container_id": "c", "status": "completed"}
    items: dict[str, dict[str, Any]] = {
        "mcp_output": {"id": "c", "type": "mcp_call", "name": "search", "server_label": "s", "arguments": "{}",
                       "output": WORD, "error": None},
        "mcp_error": {"id": "c", "type": "mcp_call", "name": "search", "server_label": "s", "arguments": "{}",
                      "output": None, "error": WORD},
        "mcp_tools": {"id": "c", "type": "mcp_list_tools", "server_label": "s",
                      "tools": [{"name": "x", "description": WORD, "input_schema": {}}]},
        "code_logs": code | {"outputs": [{"type": "logs", "logs": WORD}]},
        "file_search": {"id": "c", "type": "file_search_call", "queries": ["x"], "status": "completed",
                        "results": [{"file_id": "f", "filename": "x", "score": 1.0, "text": WORD, "attributes": {}}]},
        "shell_output": {"id": "c", "type": "shell_call_output", "call_id": "c", "status": "completed",
                         "max_output_length": None, "output": [{"stdout": WORD, "stderr": "",
                         "outcome": {"type": "exit", "exit_code": 0}}]},
        "function_output": {"id": "c", "type": "function_call_output", "call_id": "c", "output": WORD,
                            "status": "completed"},
        "revised_prompt": {"id": "c", "type": "image_generation_call", "status": "completed", "result": "",
                           "revised_prompt": WORD},
    }  # fmt: skip
    searched = {"id": "c", "type": "web_search_call", "status": "completed",
                "action": {"type": "search", "query": "x", "sources": [{"type": "url", "url": WORD}]}}  # fmt: skip
    yield called("web_search", 5, sends=body(message(BEFORE), searched))
    yield called("web_search_stream", 5, sends=(*opened(), delta(BEFORE), done(searched, 1), end(searched)))
    for name, item in items.items():
        yield whole(name, 5, sends=body(message(BEFORE), item))
        yield whole(f"{name}_stream", 5, sends=(*opened(), delta(BEFORE), done(message(BEFORE)), done(item, 1),
                    end(message(BEFORE), item)))  # fmt: skip
    yield from unread("openai_responses", {
        "unknown_item": body(message(BEFORE), {"id": "c", "type": "hologram", "caption": WORD}),
        "unknown_item_stream": (begin(), done({"id": "c", "type": "hologram", "caption": WORD}), end()),
        "list_item": body(message(BEFORE), [WORD]),
        "unknown_part": body(message(BEFORE, {"type": "hologram", "caption": WORD})),
        "unknown_event": (*opened(), delta(BEFORE), event("hologram.delta", **AT, delta=WORD), end(message(BEFORE))),
    })  # fmt: skip
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    summary = {"type": "summary_text", "text": WORD}
    thought = {"id": "rs", "type": "reasoning", "summary": [summary], "content": [], "status": "completed"}
    yield way("reasoning", 5, sends=body(thought, message(BEFORE)), pattern=asked, actions=("block",))
    piece = event("reasoning_summary_text.delta", item_id="rs", output_index=0, summary_index=0, delta=WORD)
    yield way("reasoning_stream", 5, sends=(begin(), piece, end(thought, message(BEFORE))), pattern=asked, before=None,
              actions=("block",))  # fmt: skip
    yield clean("reasoning_unasked", 5, sends=body(thought, message(BEFORE)))


def _parses() -> Iterator[Way]:
    """Yield answers on which the client's ``parse`` raises."""
    facts = {"gen_ai.response.id": "resp_1", "gen_ai.response.model": "gpt-test-2026", "gen_ai.usage.input_tokens": 3,
             "gen_ai.usage.output_tokens": 5}  # fmt: skip
    raising = partial(way, modes=("parse", "async_parse"), request={"text_format": Answer}, raises="ValidationError",
                      facts=facts, actions=("block",), before=None)  # fmt: skip
    yield raising("validation", 9, sends=body(message(f'{{"words": "{WORD}"}}')))
    yield raising("validation_clean", 9, sends=body(message('{"words": "x"}')), forbidden=None, verdicts=("complied",))


def _hidden() -> Iterator[Way]:
    """Yield answers with reasoning that nobody can read, and sound without a transcript."""
    hidden = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "x"}
    unread = partial(clean, verdicts=("unassessed",), actions=("openblock",))
    yield unread("encrypted_reasoning", 5, sends=body(hidden, message(BEFORE)), pattern={"parts": ["reasoning"]})
    yield clean("encrypted_reasoning_unasked", 5, sends=body(hidden, message(BEFORE)))
    sound = event("response.audio.delta", delta="UklGRg==")
    yield unread("sound_stream", 5, sends=(*opened(), delta("x"), sound, end(message("x"))))


def _disguises() -> Iterator[Way]:
    """Yield forbidden text that is written around the pattern."""
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=body(message(f'{{"a": "{written}"}}')), forbidden=written, before='{"a": "')
    yield way("json_escape_stream", 10, sends=stream('{"a": "', "F\\u0", '04fRBIDDEN"}'), forbidden=written,
              before='{"a": "')  # fmt: skip
    spread = partial(way, is_spread=True, is_edited=None)
    yield spread("neighbouring_parts", 10, sends=body(message(BEFORE, "FORB", "IDDEN")))
    yield spread("neighbouring_messages", 10, sends=body(message(BEFORE, "FORB"), message("IDDEN", id_="msg_2")))
    halves = (*opened(), delta(BEFORE + "FORB"), delta("IDDEN", content_index=1))
    yield spread("neighbouring_parts_stream", 10, sends=(*halves, end(message(BEFORE + "FORB", "IDDEN"))))
    first, last = message(BEFORE + "FORB"), message("IDDEN", id_="msg_2")
    yield spread("parts_with_a_tool_between", 10, sends=body(first, tool(), last))
    pieces = (*opened(), delta(BEFORE + "FORB"), added(tool(), 1), done(tool(), 1), delta("IDDEN", 2))
    yield spread("parts_with_a_tool_between_stream", 10, sends=(*pieces, end(first, tool(), last)))
    turns = (*opened(), delta(BEFORE + "FORB"), delta("x", 1), delta("IDDEN"))
    yield way("interleaved_items", 3, sends=(*turns, end(message(BEFORE + WORD), message("x", id_="msg_2"))))
    turns = (*opened(), delta(BEFORE + "FORB"), delta("x", content_index=1), delta("IDDEN"))
    yield way("interleaved_texts", 3, sends=(*turns, end(message(BEFORE + WORD, "x"))))
    alone = partial(way, is_edited=None, pattern={"any": [rf"\b{WORD}\b"]})
    yield alone("part_by_itself", 10, sends=body(message(BEFORE + "x", WORD)))
    pieces = (*opened(), delta(BEFORE + "x"), delta("FORB", content_index=1), delta("IDDEN", content_index=1))
    yield alone("part_by_itself_stream", 10, sends=(*pieces, end(message(BEFORE + "x", WORD))))


def _facts() -> Iterator[Way]:
    """Yield answers of which the record must be right."""
    counted = partial(clean, facts={"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5})
    floats = {"input_tokens": 28.0, "output_tokens": 5.0, "total_tokens": 33.0}
    yield counted("float_counts", 12, sends=body(message("x"), usage=floats))
    yield counted("float_counts_stream", 12, sends=(*opened(), delta("x"), end(message("x"), usage=floats)))
    failed = (*opened(), delta("x"), {"type": "error", "code": "overloaded", "message": "busy", "param": None})
    yield clean("error_event_in_bytes", 12, sends=failed, modes=("streaming_response_stream",),
                verdicts=("complied", "unassessed"), facts={"error.type": ...})  # fmt: skip


WAYS = (
    *malformed_chunks("openai_responses", MALFORMED, (*opened(), delta(BEFORE)),
                      (delta(WORD), delta(AFTER), end(message(BEFORE)))),
    *malformed_bodies("openai_responses", MALFORMED_BODIES),
    *_finishes(),
    *_parts(),
    *_shapes(),
    *_whole_texts(),
    *_gaps(),
    *doors("openai_responses", DOORS),
    *_parses(),
    *_disguises(),
    *_hidden(),
    *disguises("openai_responses"),
    *_facts(),
)  # fmt: skip
