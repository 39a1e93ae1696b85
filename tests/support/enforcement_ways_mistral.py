"""Ways through Mistral's chat completions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, disguises, doors, malformed_bodies, malformed_chunks
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_mistral import body, choice, chunk, stream, tool
from pydantic import BaseModel

way = partial(Way, wire="mistral")
called = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(called, **DENIED)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
whole = partial(way, is_edited=None)
END = chunk("", "stop")
CALLED = chunk("", "tool_calls")


class Answer(BaseModel):
    """The shape that ``parse`` asks for."""

    text: str


MALFORMED: dict[str, Any] = {
    "content_null": chunk({"content": None}),
    "delta_empty": chunk({}),
    "arguments_dict": chunk({"tool_calls": [tool("search", {"q": "x"})]}),
    "tool_calls_null": chunk({"tool_calls": None}),
    "tool_calls_empty": chunk({"tool_calls": []}),
    "choices_empty": chunk() | {"choices": []},
    "finish_unknown": chunk("x", "eos"),
    "content_parts": chunk({"content": [{"type": "text", "text": "x"}]}),
    "unknown_part": chunk({"content": [{"type": "hologram", "caption": "x"}]}),
    "index_negative": chunk("x", index=-1),
    "index_far": chunk("x", index=2**40),
    "usage_null": chunk("x") | {"usage": None},
}
"""Chunks in which one value has a shape that few chunks have."""

MALFORMED_BODIES: dict[str, Any] = {
    "content_parts": body(choice([{"type": "text", "text": WORD}])),
    "content_parts_of_two": body(choice([{"type": "text", "text": "x"}, {"type": "text", "text": WORD}])),
    "finish_unknown": body(choice(WORD, "eos")),
    "arguments_dict": body(choice("", tool_calls=[tool("search", {"q": WORD})])),
    "tool_calls_empty": body(choice(WORD, tool_calls=[])),
    "prefix_null": body(choice(WORD, prefix=None)),
}
"""Bodies in which one value has a shape that few bodies have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after a finish reason."""
    for name, why in (("stop", "stop"), ("length", "length"), ("unknown", "eos")):
        said = tuple(chunk(each, why) for each in (BEFORE, WORD, AFTER))
        yield way(f"finish_{name}_on_every_chunk", 2, sends=said, after=AFTER)
    yield way("text_after_finish", 2, sends=(chunk(BEFORE), END, chunk(WORD), chunk(AFTER), END), after=AFTER)
    yield called(
        "tool_after_finish", 2, sends=(chunk(BEFORE), END, chunk({"tool_calls": [tool("search", WORD)]}), CALLED)
    )
    second = (chunk(BEFORE), END, chunk(WORD, index=1), chunk("", "stop", 1))
    yield way("second_choice_unasked", 2, sends=second)
    yield way("second_choice", 2, sends=second, request={"n": 2})
    yield way("no_end", 2, sends=(chunk(BEFORE), chunk(WORD), chunk(AFTER)), after=AFTER)
    thought = chunk({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, "stop")
    yield way("finish_on_thinking", 2, sends=(thought, chunk(BEFORE), chunk(WORD), END))


def _parts() -> Iterator[Way]:
    """Yield streams whose tool calls are not told apart by their index alone."""
    for name, (one, two) in {"one_index": (0, 0), "out_of_order": (1, 0), "far_apart": (0, 2**40)}.items():
        first = chunk({"tool_calls": [tool("search", "{}", index=one)]})
        second = chunk({"tool_calls": [tool("forbidden_tool", "{}", id="c2", index=two)]})
        yield denied(f"two_calls_{name}", 3, sends=(first, second, CALLED))
        apart = (chunk({"tool_calls": [tool("search", '{"q": "FORB', index=one)]}),
                 chunk({"tool_calls": [tool("search", 'IDDEN"}', id="c2", index=two)]}), CALLED)  # fmt: skip
        yield clean(f"two_calls_{name}_apart", 3, sends=apart)
    no_ids = {"id": "null"}
    unnamed = {"tool_calls": [tool("search", "{}", **no_ids), tool("forbidden_tool", "{}", **no_ids)]}
    yield denied("two_calls_without_ids", 3, sends=(chunk(unnamed), CALLED))
    pieces = (chunk({"tool_calls": [tool("search", "FORB", index=0)]}),
              chunk({"tool_calls": [tool("", "IDDEN", id="null", index=0)]}), CALLED)  # fmt: skip
    yield called("arguments_in_pieces", 3, sends=pieces)
    yield way("interleaved_choices", 3, sends=(chunk("FORB"), chunk("x", index=1), chunk("IDDEN"), END), before=None,
              request={"n": 2})  # fmt: skip


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    yield called("tool", 4, sends=body(choice("", "tool_calls", tool_calls=[tool("search", WORD)])))
    yield called("tool_stream", 4, sends=(chunk({"tool_calls": [tool("search", WORD)]}), CALLED))
    parts = [{"type": "text", "text": WORD}]
    yield way(
        "content_list_stream", 4, sends=(chunk(BEFORE), chunk({"content": parts}), chunk(AFTER), END), after=AFTER
    )


def _gaps() -> Iterator[Way]:
    """Yield answers with text in places that a reader may not know."""
    for name, part in {
        "reference_title": {"type": "reference", "reference_ids": [WORD]},
        "document_url": {"type": "document_url", "document_url": "u", "document_name": WORD},
        "tool_reference": {"type": "tool_reference", "tool": "web_search", "title": WORD, "url": "u"},
    }.items():
        yield whole(name, 5, sends=body(choice([{"type": "text", "text": BEFORE}, part])),
                    verdicts=("violated", "unassessed"), actions=("block",))  # fmt: skip
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": WORD}]}
    yield way("thinking", 5, sends=body(choice([thought, {"type": "text", "text": BEFORE}])), pattern=asked,
              actions=("block",))  # fmt: skip
    yield clean("thinking_unasked", 5, sends=body(choice([thought, {"type": "text", "text": BEFORE}])))


def _more() -> Iterator[Way]:
    """Yield the ways of parts 9, 10 and 12."""
    raising = partial(way, modes=("parse",), request={"response_format": Answer}, raises="ValidationError",
                      actions=("block",), before=None)  # fmt: skip
    yield raising("validation", 9, sends=body(f'{{"words": "{WORD}"}}'))
    yield raising("validation_clean", 9, sends=body('{"words": "x"}'), forbidden=None, verdicts=("complied",))
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=body(f'{{"a": "{written}"}}'), forbidden=written, before='{"a": "')
    yield way("json_escape_stream", 10, sends=stream('{"a": "', "F\\u0", '04fRBIDDEN"}'), forbidden=written,
              before='{"a": "')  # fmt: skip
    parts = [{"type": "text", "text": BEFORE + "FORB"}, {"type": "text", "text": "IDDEN"}]
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    yield whole("parts_with_thinking_between_stream", 10, sends=(*(chunk({"content": [each]}) for each in
                (parts[0], thought, parts[1])), END), is_spread=True)  # fmt: skip
    yield whole("neighbouring_parts", 10, sends=body(choice(parts)), is_spread=True)
    yield whole("neighbouring_parts_stream", 10, sends=(chunk({"content": parts[:1]}), chunk({"content": parts[1:]}),
                END), is_spread=True)  # fmt: skip
    floats = {"prompt_tokens": 28.0, "completion_tokens": 5.0, "total_tokens": 33.0}
    counted = {"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5}
    yield clean("float_counts", 12, sends=body("x", usage=floats), facts=counted)


WAYS = (
    *malformed_chunks("mistral", MALFORMED, (chunk(BEFORE),), (chunk(WORD), chunk(AFTER), END)),
    *malformed_bodies("mistral", MALFORMED_BODIES),
    *_finishes(),
    *_parts(),
    *_shapes(),
    *_gaps(),
    *doors("mistral", ("door_lines",)),
    *_more(),
    *disguises("mistral"),
)
