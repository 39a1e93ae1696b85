"""Ways through OpenAI's chat completions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, DISGUISES, disguises, doors, malformed_bodies, malformed_chunks
from enforcement_stainless import DOORS
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_openai_chat import body, call, choice, chunk, message, stream, text
from pydantic import BaseModel

END = chunk(finish="stop")
SEARCH = {"name": "search", "arguments": '{"q": "x"}'}
way = partial(Way, wire="openai_chat")
tool = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(tool, **DENIED)


class Answer(BaseModel):
    """The shape that ``parse`` asks for."""

    text: str


MALFORMED: dict[str, Any] = {
    "arguments_dict": call({"q": "x"}, "search", id_="c1"),
    "arguments_list": call(["x"], "search", id_="c1"),
    "arguments_number": call(28.0, "search", id_="c1"),
    "name_list": call("{}", ["search"], id_="c1"),
    "function_null": chunk({"tool_calls": [{"index": 0, "id": "c1", "function": None}]}),
    "function_text": chunk({"tool_calls": [{"index": 0, "id": "c1", "function": "search"}]}),
    "tool_calls_null_item": chunk({"tool_calls": [None]}),
    "tool_calls_text": chunk({"tool_calls": "search"}),
    "tool_calls_dict": chunk({"tool_calls": {"0": SEARCH}}),
    "index_text": call("{}", "search", index="0", id_="c1"),
    "index_dict": call("{}", "search", index={}, id_="c1"),
    "id_dict": call("{}", "search", id_={}),
    "choices_null_item": chunk(choices=[None]),
    "choices_null": chunk(choices=None),
    "choices_dict": chunk(choices={}),
    "choices_text": chunk(choices="x"),
    "choice_index_text": text("x", index="0"),
    "choice_index_dict": text("x", index={}),
    "choice_index_null": text("x", index=None),
    "delta_null": chunk(choices=[{"index": 0, "delta": None, "finish_reason": None}]),
    "delta_text": chunk("x"),
    "delta_list": chunk([]),
    "content_list": text([{"type": "text", "text": "x"}]),
    "content_list_of_null": text([None]),
    "content_dict": text({"text": "x"}),
    "content_number": text(28.0),
    "finish_dict": chunk({}, {}),
    "finish_list": chunk({}, ["stop"]),
    "usage_text": chunk(usage="x"),
    "usage_list": chunk(usage=[1]),
    "id_number": chunk(id=1),
    "model_dict": chunk(model={}),
}
"""Chunks in which one value has a shape that no chunk should have."""


MALFORMED_BODIES: dict[str, Any] = {
    "arguments_dict": message(BEFORE, tool_calls=[{"id": "c", "type": "function", "function": {"name": "s",
                              "arguments": {"q": WORD}}}]),
    "arguments_list": message(BEFORE, tool_calls=[{"id": "c", "type": "function", "function": {"name": "s",
                              "arguments": [WORD]}}]),
    "tool_calls_null_item": message(WORD, tool_calls=[None]),
    "tool_calls_dict": message(WORD, tool_calls={"0": SEARCH}),
    "function_null": message(WORD, tool_calls=[{"id": "c", "type": "function", "function": None}]),
    "choices_null_item": body(None, choice({"role": "assistant", "content": WORD})),
    "choice_index_text": body(choice({"role": "assistant", "content": WORD}, index="0")),  # type: ignore[arg-type]
    "content_list": message([{"type": "text", "text": WORD}]),
    "content_list_of_null": message([None, {"type": "text", "text": WORD}]),
    "content_list_of_text": message([WORD]),
    "content_dict": message({"text": WORD}),
    "finish_dict": body(choice({"role": "assistant", "content": WORD}, finish={})),
    "usage_text": body(choice({"role": "assistant", "content": WORD}), usage="x"),
    "refusal_dict": message(BEFORE, refusal={"text": WORD}),
}  # fmt: skip
"""Bodies in which one value has a shape that no body should have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after a finish reason."""
    for name, finish in (("empty", ""), ("null_text", "null"), ("stop", "stop"), ("unknown", "eos")):
        said = tuple(text(piece, finish) for piece in (BEFORE, WORD, AFTER))
        yield way(f"finish_{name}_on_every_chunk", 2, sends=(*said, END), after=AFTER)
    thought = chunk({"content": "", "reasoning_content": "hm"}, "stop")
    yield way("finish_on_reasoning", 2, sends=(thought, text(BEFORE), text(WORD), text(AFTER), END), after=AFTER)
    yield way("text_after_finish", 2, sends=(text(BEFORE), END, text(WORD), text(AFTER), END), after=AFTER)
    usage = chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8})
    yield way("text_after_usage", 2, sends=(text(BEFORE), END, usage, text(WORD), END), after=AFTER)
    yield tool("tool_after_finish", 2, sends=(text(BEFORE), END, call(WORD, "search", id_="c1"), END))
    yield tool("tool_after_tool_finish", 2, sends=(call("{}", "search", id_="c1"), chunk(finish="tool_calls"),
               call(WORD, "search", 1, "c2"), chunk(finish="tool_calls")))  # fmt: skip
    second = (text(BEFORE), END, text(BEFORE, index=1), text(WORD, index=1), chunk(finish="stop", index=1))
    yield way("second_choice_unasked", 2, sends=second)
    yield way("second_choice_in_extra_body", 2, sends=second, request={"extra_body": {"n": 2}})
    yield way("second_choice", 2, sends=second, request={"n": 2})
    yield way("finish_missing", 2, sends=(text(BEFORE), text(WORD), text(AFTER)), after=AFTER)
    clean = (text(BEFORE, ""), text(AFTER, ""), END)
    yield way("finish_empty_clean", 2, sends=clean, forbidden=None, verdicts=("complied",))
    late = (text(BEFORE), END, text(AFTER), END)
    yield way("text_after_finish_clean", 2, sends=late, forbidden=None, verdicts=("complied",))


def _parts() -> Iterator[Way]:
    """Yield streams whose tool calls are not told apart by their index alone."""
    two = {"one_index": (0, 0), "null_indexes": (None, None), "out_of_order": (1, 0), "far_apart": (0, 2**40),
           "negative": (0, -1)}  # fmt: skip
    for name, (first, second) in two.items():
        calls = (call("{}", "search", first, "c1"), call("{}", "forbidden_tool", second, "c2"))
        yield denied(f"two_calls_{name}", 3, sends=(*calls, chunk(finish="tool_calls")))
        pieces = (call('{"q": "FORB', "search", first, "c1"), call('IDDEN"}', "search", second, "c2"))
        yield way(f"two_calls_{name}_apart", 3, sends=(*pieces, chunk(finish="tool_calls")), forbidden=None,
                  verdicts=("complied",), actions=("block",))  # fmt: skip
    missing = [{"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": "{}"}}
               for n, name in enumerate(("search", "forbidden_tool"))]  # fmt: skip
    yield denied("missing_indexes", 3, sends=(chunk({"tool_calls": missing}), chunk(finish="tool_calls")))
    yield denied("missing_indexes_in_two_chunks", 3, sends=(*(chunk({"tool_calls": [each]}) for each in missing),
                 chunk(finish="tool_calls")))  # fmt: skip
    yield tool("arguments_without_index", 3, sends=(call("", "search", None, "c1"), call("FORB", None, None),
               call("IDDEN", None, None), chunk(finish="tool_calls")))  # fmt: skip
    mixed = (call("", "search", 0, "c1"), call("", "search", 1, "c2"), call("FORB", None, 1), call("{}", None, 0),
             call("IDDEN", None, 1), chunk(finish="tool_calls"))  # fmt: skip
    yield tool("interleaved_calls", 3, sends=mixed)
    texts = (text("FORB"), text("x", index=1), text("IDDEN"), END, chunk(finish="stop", index=1))
    yield way("interleaved_choices", 3, sends=texts, request={"n": 2}, before=None)
    cited = {"type": "url_citation", "url_citation": {"title": "x", "url": "u", "start_index": 0, "end_index": 1}}
    turns = {"refusal": {"refusal": "x"}, "citation": {"annotations": [cited]}, "sound": {"audio": {"transcript": "x"}}}
    for name, delta in turns.items():
        yield way(f"interleaved_with_{name}", 3, sends=(text(BEFORE + "FORB"), chunk(delta), text("IDDEN"), END))
    apart = (text("FORB"), text("IDDEN", index=1), END, chunk(finish="stop", index=1))
    yield way("interleaved_choices_apart", 3, sends=apart, request={"n": 2}, forbidden=None, verdicts=("complied",))


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    function = {"name": "search", "arguments": WORD}
    custom = {"id": "c1", "type": "custom", "custom": {"name": "search", "input": WORD}}
    yield tool("function_call", 4, sends=message(None, function_call=function))
    yield tool("function_call_stream", 4, sends=(chunk({"function_call": {"name": "search", "arguments": "FORB"}}),
               chunk({"function_call": {"arguments": "IDDEN"}}), chunk(finish="function_call")))  # fmt: skip
    forbidden = {"name": "forbidden_tool", "arguments": "{}"}
    yield denied("function_call_name", 4, sends=message(None, function_call=forbidden))
    yield denied("function_call_name_stream", 4, sends=(chunk({"function_call": forbidden}), END))
    yield tool("custom_tool", 4, sends=message(None, tool_calls=[custom]))
    more = {"index": 0, "custom": {"input": "IDDEN"}}
    started = custom | {"index": 0, "custom": {"name": "search", "input": "FORB"}}
    yield tool("custom_tool_stream", 4, sends=(chunk({"tool_calls": [started]}), chunk({"tool_calls": [more]}), END))
    named = {"id": "c1", "type": "custom", "index": 0, "custom": {"name": "forbidden_tool", "input": ""}}
    yield denied("custom_tool_name", 4, sends=message(None, tool_calls=[named]))
    yield denied("custom_tool_name_stream", 4, sends=(chunk({"tool_calls": [named]}), chunk(finish="tool_calls")))
    part = {"type": "text", "text": BEFORE + WORD + AFTER}
    yield way("content_list", 4, sends=message([part]), after=AFTER)
    yield way("content_list_stream", 4, sends=(text(BEFORE), text([part | {"text": WORD}]), text(AFTER), END),
              after=AFTER)  # fmt: skip
    refusals = tuple(chunk({"refusal": piece}) for piece in (BEFORE, "FORB", "IDDEN", AFTER))
    yield way("refusal", 4, sends=message(None, refusal=BEFORE + WORD + AFTER), after=AFTER)
    yield way("refusal_stream", 4, sends=(*refusals, END), after=AFTER)
    yield way("refusal_part", 4, sends=message([{"type": "refusal", "refusal": WORD}]), before=None)
    audio = {"id": "a", "data": "", "expires_at": 1, "transcript": WORD}
    yield way("audio_transcript", 4, sends=message(None, audio=audio), before=None, is_edited=None)
    spoken = (chunk({"audio": {"id": "a", "transcript": "FORB"}}), chunk({"audio": {"transcript": "IDDEN"}}), END)
    yield way("audio_transcript_stream", 4, sends=spoken, before=None, is_edited=None)


def _hidden() -> Iterator[Way]:
    """Yield reasoning that nobody can read, and sound without a transcript."""
    unread = partial(way, forbidden=None, verdicts=("unassessed",), actions=("openblock",))
    sound = {"id": "a", "data": "UklGRg==", "expires_at": 1, "transcript": ""}
    yield unread("sound", 5, sends=message(None, audio=sound))
    yield unread("sound_stream", 5, sends=(chunk({"audio": {"id": "a"}}), chunk({"audio": {"data": "UklGRg=="}}), END))
    hidden = [{"type": "reasoning.encrypted", "data": "x"}]
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    yield unread("encrypted_reasoning", 5, sends=message(BEFORE, reasoning_details=hidden), pattern=asked)
    pieces = (chunk({"reasoning_details": hidden}), text(BEFORE), END)
    yield unread("encrypted_reasoning_stream", 5, sends=pieces, pattern=asked)


def _gaps() -> Iterator[Way]:
    """Yield answers with text in places that a reader may not know."""
    yield from _hidden()
    cited = {"type": "url_citation", "url_citation": {"title": WORD, "url": "https://x.test", "start_index": 0,
             "end_index": 1}}  # fmt: skip
    yield way("citation_title", 5, sends=message(BEFORE, annotations=[cited]), is_edited=None)
    yield way("citation_title_stream", 5, sends=(text(BEFORE), chunk({"annotations": [cited]}), END), is_edited=None)
    unknown = {"type": "hologram", "caption": WORD}
    unread = ("violated", "unassessed")
    for name, sends in (
        ("unknown_part", message([{"type": "text", "text": BEFORE}, unknown])),
        ("unknown_part_stream", (text(BEFORE), text([unknown]), END)),
        ("unknown_tool_type", message(BEFORE, tool_calls=[{"id": "c", "type": "hologram", "hologram": unknown}])),
    ):
        yield way(f"{name}_open", 5, sends=sends, verdicts=unread, actions=("openblock",))
        yield way(name, 5, sends=sends, verdicts=unread, is_edited=False, actions=("block",))
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    details = [{"type": "reasoning.text", "text": WORD}]
    for name, field in (("reasoning", WORD), ("reasoning_content", WORD), ("reasoning_details", details)):
        yield way(f"{name}", 5, sends=message(BEFORE, **{name: field}), pattern=asked, actions=("block",))
        yield way(f"{name}_stream", 5, sends=(chunk({name: field}), text(BEFORE), END), pattern=asked, before=None,
                  actions=("block",))  # fmt: skip
    yield from _reasoning_twice()


def _reasoning_twice() -> Iterator[Way]:
    """Yield answers with reasoning in two fields, of which one has the word; and with the same text in both."""
    asked = partial(way, pattern={"parts": ["reasoning"]}, actions=("block",))
    details = [{"type": "reasoning.text", "text": WORD}]
    for other, name, field in (
        ("reasoning_content", "reasoning", WORD),
        ("reasoning", "reasoning_content", WORD),
        ("reasoning", "thinking", WORD),
        ("reasoning_content", "reasoning_details", details),
    ):
        yield asked(f"{name}_beside_{other}", 5, sends=message(BEFORE, **{other: "hm", name: field}))
        one, two = ([[{"type": "reasoning.text", "text": each}] for each in ("FORB", "IDDEN")] if field is details
                    else ["FORB", "IDDEN"])  # fmt: skip
        pieces = (chunk({other: "hm ", name: one}), chunk({other: "ha", name: two}), text(BEFORE), END)
        yield asked(f"{name}_beside_{other}_stream", 5, sends=pieces, before=None)
    alike = {"reasoning": "FORB", "reasoning_content": "FORB"}
    same = (chunk(alike), chunk({"reasoning": "ID", "reasoning_content": "ID"}), text(BEFORE), END)
    yield asked("reasoning_alike_stream", 5, sends=same, forbidden=None, verdicts=("complied",))
    yield asked("reasoning_alike", 5, sends=message(BEFORE, **alike), forbidden=None, verdicts=("complied",),
                pattern={"parts": ["reasoning"], "any": ["FORBFORB"]})  # fmt: skip


def _parses() -> Iterator[Way]:
    """Yield answers on which the client's ``parse`` raises."""
    asked = {"response_format": Answer}
    facts = {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-test-2026",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
    }
    whole, plain = f'{{"text": "{WORD}"}}', '{"text": "x"}'
    for name, error, finish, content, clean in (
        ("length", "LengthFinishReasonError", "length", whole, plain),
        ("content_filter", "ContentFilterFinishReasonError", "content_filter", whole, plain),
        ("validation", "ValidationError", "stop", f'{{"words": "{WORD}"}}', '{"words": "x"}'),
    ):
        finished: dict[str, Any] = {"gen_ai.response.finish_reasons": (finish,)}
        sends = body(choice({"role": "assistant", "content": content}, finish))
        holds = {"length": WORD, "validation": WORD, "content_filter": None}[name]
        modes = ("parse", "async_parse")
        if holds:
            yield way(f"{name}", 9, sends=sends, modes=modes, request=asked, raises=error, before=None, facts=facts,
                      actions=("block",))  # fmt: skip
        allowed = body(choice({"role": "assistant", "content": clean}, finish))
        yield way(f"{name}_clean", 9, sends=allowed, modes=modes, request=asked, raises=error, forbidden=None,
                  verdicts=("complied",), facts=facts | finished, actions=("block",))  # fmt: skip
    streamed = (text('{"text": "'), text(WORD), chunk(finish="length"))
    yield way("length_helper", 9, sends=streamed, modes=("helper",), request=asked, raises="LengthFinishReasonError",
              before='{"text": "', actions=("block",))  # fmt: skip


def _disguises() -> Iterator[Way]:
    """Yield forbidden text that is written around the pattern."""
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=message(f'{{"a": "{written}"}}'), forbidden=written, before='{"a": "')
    pieces = ('{"a": "', "F\\u0", '04fRBIDDEN"}')
    yield way("json_escape_stream", 10, sends=stream(*pieces), forbidden=written, before='{"a": "')
    prose = f'Here: {{"a": "{written}"}}'
    yield way("json_in_prose", 10, sends=message(prose), forbidden=written, before='{"a": "')
    yield way("json_in_prose_stream", 10, sends=stream("Here: {", *pieces[0][1:], *pieces[1:]), forbidden=written,
              before='{"a": "')  # fmt: skip
    nested = json.dumps({"a": f'{{"b": "{written}"}}'})
    twice = "F\\\\u004fRBIDDEN"
    yield way("json_in_json", 10, sends=message(nested), forbidden=twice, before='{"a": "')
    yield way("json_in_json_stream", 10, sends=stream(nested[:12], *nested[12:]), forbidden=twice, before='{"a": "')
    arguments = f'{{"q": "{written}"}}'
    yield tool("json_escape_in_arguments", 10, sends=message(None, tool_calls=[{"id": "c", "type": "function",
               "function": {"name": "search", "arguments": arguments}}]), forbidden=written)  # fmt: skip
    yield tool("json_escape_in_arguments_stream", 10, sends=(call(arguments, "search", id_="c"), END),
               forbidden=written)  # fmt: skip
    parts = [{"type": "text", "text": "FORB"}, {"type": "text", "text": "IDDEN"}]
    yield way("neighbouring_parts", 10, sends=message(parts), is_spread=True, before=None, is_edited=None)
    yield way("neighbouring_parts_stream", 10, sends=(text(parts[:1]), text(parts[1:]), END), is_spread=True,
              before=None)  # fmt: skip


def _facts() -> Iterator[Way]:
    """Yield answers of which the record must be right."""
    clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
    said = choice({"role": "assistant", "content": "x"})
    floats = {"prompt_tokens": 28.0, "completion_tokens": 5.0, "total_tokens": 33.0}
    counted = {"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5}
    yield clean("float_counts", 12, sends=body(said, usage=floats), facts=counted)
    yield clean("float_counts_stream", 12, sends=(text("x"), END, chunk(choices=[], usage=floats)), facts=counted)
    unusable: dict[str, Any] = {"prompt_tokens": "many", "completion_tokens": None, "total_tokens": {}}
    absent = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    yield clean("unusable_counts", 12, sends=body(said, usage=unusable), facts=absent)
    filled = {"id": "c", "type": "function", "function": SEARCH, "custom": {"name": "", "input": ""}}
    allow: dict[str, Any] = {"checks": [{"tools": {"allow": ["search"]}}]}
    empty = {"name": "", "arguments": ""}
    yield clean("filled_custom", 12, sends=message("", tool_calls=[filled]), clause=allow)
    yield clean("filled_custom_stream", 12, sends=(chunk({"tool_calls": [filled | {"index": 0}]}), END), clause=allow)
    yield clean("filled_function_call", 12, sends=message("x", function_call=empty, tool_calls=[filled]), clause=allow)
    yield clean("filled_function_call_stream", 12, sends=(chunk({"content": "x", "function_call": empty}), END),
                clause=allow | {"checks": [*allow["checks"], {"pattern": WORD}]})  # fmt: skip
    odd_values: dict[str, dict[str, Any]] = {
        "id": {"id": []},
        "model": {"model": []},
        "fingerprint": {"system_fingerprint": {}},
    }
    for name, changes in odd_values.items():
        odd = (text("x"), END, chunk(choices=[], **changes))
        yield way(f"last_{name}_malformed", 1, sends=odd, forbidden=None, verdicts=("complied",), actions=("block",))
    failed = (text("x"), {"error": {"message": "overloaded", "type": "server_error", "code": 500}})
    yield clean("error_event_in_bytes", 12, sends=failed, modes=("streaming_response_stream",),
                verdicts=("complied", "unassessed"), facts={"error.type": ...})  # fmt: skip


WAYS = (
    *malformed_chunks("openai_chat", MALFORMED, (text(BEFORE),), (text(WORD), text(AFTER), END)),
    *malformed_bodies("openai_chat", MALFORMED_BODIES),
    *_finishes(),
    *_parts(),
    *_shapes(),
    *_gaps(),
    *doors("openai_chat", DOORS),
    *_parses(),
    *_disguises(),
    *disguises("openai_chat", tuple(DISGUISES)),
    *_facts(),
)
