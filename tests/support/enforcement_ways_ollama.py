"""Ways through Ollama's chat and generate."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, disguises, malformed_bodies, malformed_chunks
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_ollama import END, body, generated, piece, stream, tool

way = partial(Way, wire="ollama")
called = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(called, **DENIED)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))

MALFORMED: dict[str, Any] = {
    "content_null": piece(None),
    "tool_calls_null": piece("x", tool_calls=None),
    "tool_calls_empty": piece("x", tool_calls=[]),
    "images_null": piece("x", images=None),
    "done_null": piece("x", done=None),
    "reason_empty": piece("x") | {"done_reason": ""},
    "reason_without_done": piece("x") | {"done_reason": "stop"},
    "counts_null": piece("x") | {"eval_count": None},
    "role_user": piece("x", role="user"),
    "unknown_field": piece("x", hologram={"caption": "x"}),
    "logprobs": piece("x") | {"logprobs": [{"token": "x", "logprob": 0.0}]},
}
"""Pieces in which one value has a shape that few pieces have."""

MALFORMED_BODIES: dict[str, Any] = {
    "done_false": body(WORD) | {"done": False},
    "done_null": body(WORD) | {"done": None},
    "role_user": body(WORD, role="user"),
    "reason_unknown": body(WORD) | {"done_reason": "eos"},
    "thinking_too": body(WORD, thinking="hm"),
}
"""Bodies in which one value has a shape that few bodies have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after they are said to be done."""
    done = tuple(piece(each, done=True, why="stop") for each in (BEFORE, WORD, AFTER))
    yield way("done_on_every_piece", 2, sends=done, after=AFTER)
    for name, why in (("empty", ""), ("stop", "stop"), ("load", "load")):
        said = tuple(piece(each) | {"done_reason": why} for each in (BEFORE, WORD, AFTER))
        yield way(f"reason_{name}_on_every_piece", 2, sends=(*said, END), after=AFTER)
    yield way("text_after_done", 2, sends=(piece(BEFORE), END, piece(WORD), piece(AFTER), END), after=AFTER)
    yield way("text_with_done", 2, sends=(piece(BEFORE), piece(WORD, done=True, why="stop")))
    yield called("tool_after_done", 2, sends=(piece(BEFORE), END, piece(tool_calls=[tool("search", {"q": WORD})]), END))
    yield way("no_end", 2, sends=(piece(BEFORE), piece(WORD), piece(AFTER)), after=AFTER)
    thought = piece("", done=True, why="stop", thinking="hm")
    yield way("done_on_thinking", 2, sends=(thought, piece(BEFORE), piece(WORD), END))
    yield clean("text_after_done_clean", 2, sends=(piece(BEFORE), END, piece(AFTER), END))


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    call = tool("search", {"q": WORD})
    yield called("tool", 4, sends=body(tool_calls=[call]))
    yield called("tool_stream", 4, sends=(piece(tool_calls=[call]), END))
    two = (piece(tool_calls=[tool()]), piece(tool_calls=[tool("forbidden_tool")]), END)
    yield denied("two_calls", 3, sends=two)
    yield called("tool_with_done", 4, sends=(piece("x"), piece(done=True, why="stop", tool_calls=[call])))
    text = BEFORE + WORD + AFTER
    yield way("generate", 4, sends=generated(text, done=True), modes=("generate",), after=AFTER)
    pieces = (generated(BEFORE), generated("FORB"), generated("IDDEN"), generated(AFTER), generated("", done=True))
    yield way("generate_stream", 4, sends=pieces, modes=("generate_stream",), after=AFTER)
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    yield way("thinking", 5, sends=body(BEFORE, thinking=WORD), pattern=asked, actions=("block",))
    yield way("thinking_stream", 5, sends=(piece("", thinking=WORD), piece(BEFORE), END), pattern=asked, before=None,
              actions=("block",))  # fmt: skip
    twice = ({"reasoning": "hm ", "thinking": "FORB"}, {"reasoning": "ha", "thinking": "IDDEN"})
    yield way("thinking_beside_reasoning_stream", 5, sends=(*(piece("", **each) for each in twice), piece(BEFORE), END),
              pattern=asked, before=None, actions=("block",))  # fmt: skip
    yield way("thinking_beside_reasoning", 5, sends=body(BEFORE, reasoning="hm", thinking=WORD), pattern=asked,
              actions=("block",))  # fmt: skip
    yield clean("thinking_unasked", 5, sends=body(BEFORE, thinking=WORD))
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=body(f'{{"a": "{written}"}}'), forbidden=written, before='{"a": "')
    yield way("json_escape_stream", 10, sends=stream('{"a": "', "F\\u0", '04fRBIDDEN"}'), forbidden=written,
              before='{"a": "')  # fmt: skip
    counted = {"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5}
    floats = body("x") | {"prompt_eval_count": 28.0, "eval_count": 5.0}
    yield clean("float_counts", 12, sends=floats, facts=counted)


WAYS = (
    *malformed_chunks("ollama", MALFORMED, (piece(BEFORE),), (piece(WORD), piece(AFTER), END)),
    *malformed_bodies("ollama", MALFORMED_BODIES),
    *_finishes(),
    *_shapes(),
    *disguises("ollama"),
)
