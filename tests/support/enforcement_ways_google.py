"""Ways through Google's Gemini API."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, disguises, malformed_bodies, malformed_chunks, unread
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_google import body, candidate, chunk, stream, tool

way = partial(Way, wire="google")
called = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(called, **DENIED)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
whole = partial(way, is_edited=None)
END = chunk("", why="STOP")

MALFORMED: dict[str, Any] = {
    "candidates_null": body() | {"candidates": None},
    "candidates_missing": {"modelVersion": "x"},
    "content_null": body({"content": None}),
    "content_empty": body({"content": {}}),
    "parts_null": body({"content": {"role": "model", "parts": None}}),
    "part_empty": chunk({}),
    "text_null": chunk({"text": None}),
    "index_null": body(candidate("x", why=None) | {"index": None}),
    "index_negative": chunk("x", index=-1),
    "index_far": chunk("x", index=2**40),
    "finish_unknown": chunk("x", why="EOS"),
    "finish_empty": body(candidate("x") | {"finishReason": ""}),
    "name_null": chunk(tool(None)),
    "arguments_null": chunk({"functionCall": {"name": "search", "args": None}}),
    "usage_null": chunk("x") | {"usageMetadata": None},
    "unknown_part": chunk({"hologram": {"caption": "x"}}),
    "unknown_field": chunk("x") | {"hologram": "x"},
}
"""Chunks in which one value has a shape that no chunk should have."""

MALFORMED_BODIES: dict[str, Any] = {
    "part_with_two_kinds": body(candidate({"text": WORD, "functionCall": {"name": "search", "args": {}}})),
    "finish_unknown": body(candidate(WORD, why="EOS")),
    "role_null": body({"content": {"role": None, "parts": [{"text": WORD}]}, "finishReason": "STOP"}),
    "role_user": body({"content": {"role": "user", "parts": [{"text": WORD}]}, "finishReason": "STOP"}),
    "usage_null": body(candidate(WORD), usageMetadata=None),
    "thought_null": body(candidate({"text": WORD, "thought": None})),
}
"""Bodies in which one value has a shape that no body should have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after a finish reason."""
    for name, why in (("stop", "STOP"), ("unspecified", "FINISH_REASON_UNSPECIFIED"), ("other", "OTHER")):
        said = tuple(chunk(each, why=why) for each in (BEFORE, WORD, AFTER))
        yield way(f"finish_{name}_on_every_chunk", 2, sends=said, after=AFTER)
    yield way("text_after_finish", 2, sends=(chunk(BEFORE), END, chunk(WORD), chunk(AFTER), END), after=AFTER)
    yield called("tool_after_finish", 2, sends=(chunk(BEFORE), END, chunk(tool("search", q=WORD)), END))
    yield way("no_end", 2, sends=(chunk(BEFORE), chunk(WORD), chunk(AFTER)), after=AFTER)
    thought = chunk({"text": "hm", "thought": True}, why="STOP")
    yield way("finish_on_thought", 2, sends=(thought, chunk(BEFORE), chunk(WORD), END))
    second = (chunk(BEFORE, index=0), chunk("", why="STOP", index=0), chunk(WORD, index=1), chunk("", why="STOP",
              index=1))  # fmt: skip
    yield way("second_candidate_unasked", 2, sends=second)
    yield way("second_candidate", 2, sends=second, request={"config": {"candidate_count": 2}})
    yield clean("text_after_finish_clean", 2, sends=(chunk(BEFORE), END, chunk(AFTER), END))


def _parts() -> Iterator[Way]:
    """Yield answers whose candidates and calls are not told apart by their index alone."""
    two = (chunk(tool("search")), chunk(tool("forbidden_tool")), END)
    yield denied("two_calls", 3, sends=two)
    yield denied("two_calls_in_one_chunk", 3, sends=(chunk(tool("search"), tool("forbidden_tool")), END))
    first, second = candidate("FORB", why=None, index=0), candidate("x", why=None, index=1)
    rest = candidate("IDDEN", why=None, index=0)
    yield way("interleaved_candidates", 3, sends=(body(first, second), body(rest), END), before=None)
    yield way("candidates_out_of_order", 3, sends=(body(second, first), body(second, rest), END), before=None)
    apart = (body(first), body(candidate("IDDEN", why=None, index=1)), END)
    yield clean("interleaved_candidates_apart", 3, sends=apart)
    yield way("candidates_without_index", 3, sends=(body(candidate(BEFORE, why=None), candidate(WORD, why=None)), END),
              is_edited=None, before=None)  # fmt: skip


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    yield called("tool", 4, sends=body(candidate(tool("search", q=WORD))))
    yield called("tool_stream", 4, sends=(chunk(tool("search", q=WORD)), END))
    yield called("tool_with_finish", 4, sends=(chunk("x"), chunk(tool("search", q=WORD), why="STOP")))
    pieces = ({"functionCall": {"name": "search", "willContinue": True, "partialArgs": [{"jsonPath": "$.q",
              "stringValue": "FORB"}]}}, {"functionCall": {"partialArgs": [{"jsonPath": "$.q",
              "stringValue": "IDDEN"}]}})  # fmt: skip
    yield called("tool_in_pieces", 4, sends=(*map(chunk, pieces), END))


def _gaps() -> Iterator[Way]:
    """Yield answers with text in places that a reader may not know."""
    code = {"executableCode": {"language": "PYTHON", "code": WORD}}
    ran = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": WORD}}
    answered = {"functionResponse": {"name": "search", "response": {"output": WORD}}}
    yield called("code", 5, sends=body(candidate(BEFORE, code)))
    yield called("code_stream", 5, sends=(chunk(BEFORE), chunk(code), END))
    for name, part in (("code_result", ran), ("function_response", answered)):
        yield whole(name, 5, sends=body(candidate(BEFORE, part)))
        yield whole(f"{name}_stream", 5, sends=(chunk(BEFORE), chunk(part), END))
    cited = {"citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 1, "uri": "u", "title": WORD}]}}
    found = {"groundingMetadata": {"groundingChunks": [{"web": {"uri": "u", "title": WORD}}]}}
    searched = {"groundingMetadata": {"searchEntryPoint": {"renderedContent": f"<p>{WORD}</p>"}}}
    for name, more in (("grounding_title", found), ("grounding_entry", searched), ("citation_title", cited)):
        yield whole(name, 5, sends=body(candidate(BEFORE, **more)))
        yield whole(f"{name}_stream", 5, sends=(chunk(BEFORE), body(candidate("", **more))))
    media = {"inlineData": {"mimeType": "text/plain", "data": "Rk9SQklEREVO"}}
    yield from unread("google", {
        "text_as_data": body(candidate(BEFORE, media)),
        "file_name": body(candidate(BEFORE, {"fileData": {"mimeType": "text/plain", "fileUri": "u",
                          "displayName": WORD}})),
    })  # fmt: skip
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    thought = {"text": WORD, "thought": True}
    yield way("thought", 5, sends=body(candidate(thought, BEFORE)), pattern=asked, actions=("block",))
    yield way("thought_stream", 5, sends=(chunk(thought), chunk(BEFORE), END), pattern=asked, before=None,
              actions=("block",))  # fmt: skip
    yield clean("thought_unasked", 5, sends=body(candidate(thought, BEFORE)))


def _sounds() -> Iterator[Way]:
    """Yield spoken answers without a transcript."""
    sound = {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}
    unheard = partial(clean, verdicts=("unassessed",), actions=("openblock",))
    yield unheard("sound", 5, sends=body(candidate(BEFORE, sound)))
    yield unheard("sound_stream", 5, sends=(chunk(BEFORE), chunk(sound), END))
    drawn = {"inlineData": {"mimeType": "image/png", "data": "UklGRg=="}}
    yield clean("image_beside_text", 5, sends=body(candidate(BEFORE, drawn)))


def _disguises() -> Iterator[Way]:
    """Yield forbidden text that is written around the pattern."""
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=body(candidate(f'{{"a": "{written}"}}')), forbidden=written, before='{"a": "')
    yield way("json_escape_stream", 10, sends=stream('{"a": "', "F\\u0", '04fRBIDDEN"}'), forbidden=written,
              before='{"a": "')  # fmt: skip
    spread = partial(way, is_spread=True, is_edited=None)
    yield spread("neighbouring_parts", 10, sends=body(candidate(BEFORE, "FORB", "IDDEN")))
    yield spread("neighbouring_parts_stream", 10, sends=(chunk(BEFORE, "FORB"), chunk("IDDEN"), END))
    yield spread("neighbouring_parts_in_a_chunk", 10, sends=(chunk(BEFORE), chunk("FORB", "IDDEN"), END))
    yield spread("parts_with_a_tool_between", 10, sends=body(candidate(BEFORE + "FORB", tool(), "IDDEN")))
    pieces = (chunk(BEFORE + "FORB"), chunk(tool()), chunk("IDDEN"), END)
    yield spread("parts_with_a_tool_between_stream", 10, sends=pieces)
    alone = partial(way, is_edited=None, pattern={"any": [rf"\b{WORD}\b"]})
    yield alone("part_by_itself", 10, sends=body(candidate(BEFORE + "x", tool(), WORD)))
    yield alone("part_by_itself_stream", 10, sends=(chunk(BEFORE + "x"), chunk(tool()), chunk("FORB"), chunk("IDDEN"),
                END))  # fmt: skip


def _facts() -> Iterator[Way]:
    """Yield answers of which the record must be right."""
    counted = {"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5}
    floats = {"promptTokenCount": 28.0, "candidatesTokenCount": 5.0, "totalTokenCount": 33.0}
    yield clean("float_counts", 12, sends=body(candidate("x"), usageMetadata=floats), facts=counted)


WAYS = (
    *malformed_chunks("google", MALFORMED, (chunk(BEFORE),), (chunk(WORD), chunk(AFTER), END)),
    *malformed_bodies("google", MALFORMED_BODIES),
    *_finishes(),
    *_parts(),
    *_shapes(),
    *_gaps(),
    *_disguises(),
    *_sounds(),
    *disguises("google"),
    *_facts(),
)
