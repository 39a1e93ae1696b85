"""Ways through Amazon Bedrock's Converse."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from enforcement_common_ways import DENIED, disguises, malformed_bodies, malformed_chunks, unread
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_bedrock_converse import (
    BEGIN,
    END,
    METADATA,
    arguments,
    body,
    delta,
    reason,
    start,
    stop,
    stream,
    tool,
)

way = partial(Way, wire="bedrock_converse")
called = partial(way, is_edited=False, is_tool=True, before=None)
denied = partial(called, **DENIED)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
whole = partial(way, is_edited=None)

MALFORMED: dict[str, Any] = {
    "delta_missing": {"contentBlockDelta": {"contentBlockIndex": 0}},
    "delta_null": {"contentBlockDelta": {"contentBlockIndex": 0, "delta": None}},
    "index_null": delta("x", None),
    "index_missing": {"contentBlockDelta": {"delta": {"text": "x"}}},
    "index_negative": delta("x", -1),
    "tool_name_null": start(None, 1),
    "tool_start_null": {"contentBlockStart": {"contentBlockIndex": 1, "start": None}},
    "tool_input_null": (start("search", 1), arguments(None, 1)),
    "tool_input_on_text": arguments("{}"),
    "begin_again": BEGIN,
    "role_null": {"messageStart": {"role": None}},
    "usage_null": {"metadata": {"usage": None, "metrics": None}},
    "usage_empty": {"metadata": {}},
    "reason_null": reason(None),
    "reason_missing": {"messageStop": {}},
    "unknown_event": {"hologramDelta": {"caption": "x"}},
}
"""Events in which one value has a shape that no event should have."""

MALFORMED_BODIES: dict[str, Any] = {
    "content_null_item": body(None, WORD),
    "reason_null": body(WORD, stopReason=None),
    "usage_null": body(WORD, usage=None),
    "arguments_text": body(tool("search", WORD)),
    "arguments_list": body(tool("search", [WORD])),
}
"""Bodies in which one value has a shape that no body should have."""


def _finishes() -> Iterator[Way]:
    """Yield answers that go on after the model is said to have stopped."""
    said = (BEGIN, delta(BEFORE))
    rest = (delta(WORD), delta(AFTER), stop(), *END)
    for name, why in (("reason", "end_turn"), ("empty_reason", ""), ("unknown_reason", "eos")):
        yield way(f"text_after_{name}", 2, sends=(*said, reason(why), *rest), after=AFTER)
    yield way("text_after_metadata", 2, sends=(*said, *END, *rest), after=AFTER)
    yield way("text_after_metadata_alone", 2, sends=(*said, METADATA, *rest), after=AFTER)
    yield way("text_after_block_stop", 2, sends=(*said, stop(), *rest), after=AFTER)
    yield way("no_end", 2, sends=(*said, delta(WORD), delta(AFTER)), after=AFTER)
    yield called("tool_after_reason", 2, sends=(*said, stop(), reason(), start("search", 1), arguments(f'"{WORD}"', 1),
                 stop(1), reason("tool_use"), METADATA))  # fmt: skip
    yield clean("text_after_reason_clean", 2, sends=(*said, reason(), delta(AFTER), stop(), *END))


def _parts() -> Iterator[Way]:
    """Yield streams whose blocks are not told apart by their index alone."""
    ended = (reason("tool_use"), METADATA)
    for name, (one, two) in {"one_index": (0, 0), "null_indexes": (None, None), "out_of_order": (1, 0)}.items():
        sends = (BEGIN, start("search", one), arguments("{}", one), stop(one), start("forbidden_tool", two, "t2"),
                 arguments("{}", two), stop(two), *ended)  # fmt: skip
        yield denied(f"two_calls_{name}", 3, sends=sends)
        apart = (BEGIN, start("search", one), arguments('{"q": "FORB', one), start("search", two, "t2"),
                 arguments('IDDEN"}', two), *ended)  # fmt: skip
        yield clean(f"two_calls_{name}_apart", 3, sends=apart)
    yield denied("text_then_tool_at_one_index", 3, sends=(BEGIN, delta("x"), start("forbidden_tool"), *ended))
    mixed = (BEGIN, delta("FORB"), delta("x", 1), delta("IDDEN"), stop(), *END)
    yield way("interleaved_texts", 3, sends=mixed, before=None)


def _shapes() -> Iterator[Way]:
    """Yield the shapes of an answer that the plain reader knows, whole and streamed."""
    yield called("tool", 4, sends=body(tool("search", {"q": WORD})))
    yield called("tool_stream", 4, sends=(BEGIN, start(), arguments('{"q": "FORB'), arguments('IDDEN"}'), stop(), *END))
    for name, piece in (("object", {"q": WORD}), ("list", [WORD])):
        yield called(f"tool_stream_{name}", 4, sends=(BEGIN, start(), arguments(piece), stop(), *END))
    yield denied("tool_name_stream", 4, sends=(BEGIN, start("forbidden_tool"), stop(), *END))


def _gaps() -> Iterator[Way]:
    """Yield answers with text in places that a reader may not know."""
    location = {"web": {"url": "u", "domain": "d"}}
    cited = {"title": WORD, "sourceContent": [{"text": "x"}], "location": location}
    source = {"title": "x", "sourceContent": [{"text": WORD}], "location": location}
    named = {"title": "x", "source": WORD, "sourceContent": [{"text": "x"}], "location": location}
    for name, each in (("title", cited), ("source", source), ("source_name", named)):
        block = {"citationsContent": {"content": [{"text": BEFORE}], "citations": [each]}}
        yield whole(f"citation_{name}", 5, sends=body(block))
    for name, piece in (("title", {"title": WORD}), ("source", {"sourceContent": [{"text": WORD}]}),
                        ("source_name", {"source": WORD})):  # fmt: skip
        yield whole(f"citation_{name}_stream", 5, sends=(BEGIN, delta(BEFORE), delta({"citation": piece}), *END))
    text = {"citationsContent": {"content": [{"text": BEFORE + WORD}], "citations": []}}
    yield whole("cited_content", 5, sends=body(text))
    document = {"document": {"format": "txt", "name": WORD, "source": {"text": "x"}}}
    yield whole("document_name", 5, sends=body(BEFORE, document))
    read = {"document": {"format": "txt", "name": "x", "source": {"text": WORD}}}
    yield whole("document_text", 5, sends=body(BEFORE, read))
    result = {"toolResult": {"toolUseId": "t", "content": [{"text": WORD}], "status": "success"}}
    yield whole("tool_result", 5, sends=body(BEFORE, result))
    started = {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "t"}}}}
    piece = delta({"toolResult": [{"text": WORD}]}, 1)
    yield whole("tool_result_stream", 5, sends=(BEGIN, delta(BEFORE), started, piece, stop(1), *END))
    found = {"searchResult": {"source": "s", "title": WORD, "content": [{"text": "x"}]}}
    yield whole("search_result_title", 5, sends=body(BEFORE, found))
    guarded = {"guardContent": {"text": {"text": WORD}}}
    yield whole("guard_content", 5, sends=body(BEFORE, guarded))
    yield from unread("bedrock_converse", {
        "fields_of_the_model": body(BEFORE, additionalModelResponseFields={"caption": WORD}),
    })  # fmt: skip
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    thought = {"reasoningContent": {"reasoningText": {"text": WORD, "signature": "s"}}}
    yield way("reasoning", 5, sends=body(thought, BEFORE), pattern=asked, actions=("block",))
    piece = delta({"reasoningContent": {"text": WORD}})
    yield way("reasoning_stream", 5, sends=(BEGIN, piece, stop(), delta(BEFORE, 1), *END), pattern=asked, before=None,
              actions=("block",))  # fmt: skip
    yield clean("reasoning_unasked", 5, sends=body(thought, BEFORE))


def _hidden() -> Iterator[Way]:
    """Yield reasoning that nobody can read, and what the service's own guardrail tells."""
    asked: dict[str, Any] = {"parts": ["reasoning"]}
    hidden = {"reasoningContent": {"redactedContent": "eA=="}}
    unread = partial(clean, verdicts=("unassessed",), actions=("openblock",))
    yield unread("redacted_reasoning", 5, sends=body(hidden, BEFORE), pattern=asked)
    piece = {"reasoningContent": {"redactedContent": "eA=="}}
    pieces = (BEGIN, delta(piece), stop(), delta(BEFORE, 1), stop(1), *END)
    yield unread("redacted_reasoning_stream", 5, sends=pieces, pattern=asked)
    traced = {"guardrail": {"modelOutput": [WORD]}}
    yield way("guardrail", 5, sends=body(BEFORE, trace=traced), is_edited=None)
    told = {"metadata": {**METADATA["metadata"], "trace": traced}}
    yield way("guardrail_stream", 5, sends=(BEGIN, delta(BEFORE), stop(), reason(), told), is_edited=None)
    found = {"regexes": [{"name": "word", "match": WORD, "action": "BLOCKED"}]}
    asked_for = {"guardrail": {"inputAssessment": {"g": {"sensitiveInformationPolicy": found}}}}
    yield clean("guardrail_input", 5, sends=body(BEFORE, trace=asked_for))  # what the application itself had sent
    told = {"metadata": {**METADATA["metadata"], "trace": asked_for}}
    yield clean("guardrail_input_stream", 5, sends=(BEGIN, delta(BEFORE), stop(), reason(), told))
    written = {"guardrail": {"outputAssessments": {"g": [{"sensitiveInformationPolicy": found}]}}}
    yield way("guardrail_output", 5, sends=body(BEFORE, trace=written), is_edited=None)


def _media() -> Iterator[Way]:
    """Yield images, sounds, videos and documents, which hold no text, and what says that one could not be made."""
    stored = {"s3Location": {"uri": "s3://b/k"}}
    for kind, form in (("image", "png"), ("video", "mp4"), ("document", "pdf")):
        named = {"name": "a"} if kind == "document" else {}
        yield clean(f"{kind}_clean", 5, sends=body("fine", {kind: {"format": form, "source": stored, **named}}))
    unheard = partial(clean, verdicts=("unassessed",), actions=("openblock",))
    yield unheard("audio", 5, sends=body(BEFORE, {"audio": {"format": "mp3", "source": stored}}))
    for kind in ("image", "audio"):
        yield whole(f"{kind}_error", 5, sends=body(BEFORE, {kind: {"format": "x", "error": {"message": WORD}}}))
    pieces = {"document": {"format": "txt", "name": "x", "source": {"content": [{"text": "FORB"}, {"text": "IDDEN"}]}}}
    yield whole("document_pieces", 5, sends=body(BEFORE, pieces), is_spread=True)
    context = {"document": {"format": "txt", "name": "x", "context": WORD, "source": stored}}
    yield whole("document_context", 5, sends=body(BEFORE, context), verdicts=("violated", "complied"))
    begun = {"contentBlockStart": {"contentBlockIndex": 1, "start": {"image": {"format": "png"}}}}
    piece = delta({"image": {"source": {"bytes": "eA=="}}}, 1)
    yield clean("image_stream", 5, sends=(BEGIN, delta("fine"), stop(), begun, piece, stop(1), *END))
    broken = delta({"image": {"error": {"message": WORD}}}, 1)
    yield whole("image_error_stream", 5, sends=(BEGIN, delta(BEFORE), stop(), begun, broken, stop(1), *END))


def _unknown() -> Iterator[Way]:
    """Yield blocks, pieces and events of kinds that the client does not know, and shows by their name alone."""
    hologram = {"hologram": {"caption": WORD}}
    not_understood = partial(clean, verdicts=("unassessed",), actions=("openblock",))
    yield not_understood("unknown_block", 5, sends=body("fine", hologram))
    yield not_understood("unknown_block_of_a_result", 5, sends=body("fine", {"toolResult": {"toolUseId": "t",
                         "content": [hologram], "status": "success"}}))  # fmt: skip
    yield not_understood("unknown_piece_stream", 5, sends=(BEGIN, delta("fine"), delta(hologram, 1), stop(1), *END))
    begun = {"contentBlockStart": {"contentBlockIndex": 1, "start": hologram}}
    yield not_understood("unknown_start_stream", 5, sends=(BEGIN, delta("fine"), stop(), begun, stop(1), *END))
    named = {"contentBlockStart": {"contentBlockIndex": 1, "start": {WORD: {"x": 1}}}}
    yield way("unknown_name_of_a_start_stream", 5, sends=(BEGIN, delta(BEFORE), stop(), named, stop(1), *END),
              is_edited=None, before=None, verdicts=("violated", "unassessed"), actions=("block",))  # fmt: skip
    later = {"hologramDelta": {"caption": WORD}}  # the client leaves it out
    yield clean("unknown_event_stream", 5, sends=(BEGIN, delta("fine"), later, stop(), *END))


def _reasons() -> Iterator[Way]:
    """Yield every reason to stop, with the word that the conventions have for it."""
    words = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
             "guardrail_intervened": "content_filter", "content_filtered": "content_filter",
             "model_context_window_exceeded": "length", "malformed_model_output": "malformed_model_output",
             "malformed_tool_use": "malformed_tool_use"}  # fmt: skip
    for why, word in words.items():
        facts = {"gen_ai.response.finish_reasons": (word,)}
        yield clean(f"reason_{why}", 12, sends=body("fine", stopReason=why), facts=facts)
        yield clean(f"reason_{why}_stream", 12, sends=(BEGIN, delta("fine"), stop(), reason(why), METADATA),
                    facts=facts)  # fmt: skip
        said = (BEGIN, delta(BEFORE), delta(WORD), delta(AFTER), stop(), reason(why), METADATA)
        yield way(f"text_then_{why}", 2, sends=said, after=AFTER)


def _interleaved() -> Iterator[Way]:
    """Yield blocks of several kinds that a stream writes in turns."""
    ended = (stop(), stop(1), *END)
    tools = (BEGIN, delta("FORB"), start("search", 1), arguments('{"q":', 1), delta("IDDEN"), arguments(' "x"}', 1))
    yield way("text_and_tool_in_turns", 3, sends=(*tools, *ended), before=None)
    called_in_turns = (BEGIN, start("search"), start("search", 1, "t2"), arguments('{"q": "FORB'),
                       arguments('{"q": "x"}', 1), arguments('IDDEN"}'))  # fmt: skip
    yield called("two_tools_in_turns", 3, sends=(*called_in_turns, *ended))
    thought = {"reasoningContent": {"text": "FORB"}}
    mixed = (BEGIN, delta(thought), delta("IDDEN", 1), delta({"reasoningContent": {"text": "x"}}))
    yield clean("reasoning_and_text_in_turns", 3, sends=(*mixed, *ended))
    rest = {"reasoningContent": {"text": "IDDEN"}}
    yield way("reasoning_in_turns", 3, sends=(BEGIN, delta(thought), delta("x", 1), delta(rest), *ended), before=None,
              pattern={"parts": ["reasoning"]}, actions=("block",))  # fmt: skip
    cited = (BEGIN, delta(BEFORE), delta({"citation": {"title": "FORB"}}), delta("IDDEN"), *ended)
    yield clean("citation_between_texts", 3, sends=cited)
    results = {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolResult": {"toolUseId": "t"}}}}
    pieces = (delta({"toolResult": [{"text": "FORB"}]}, 1), delta("x"), delta({"toolResult": [{"text": "IDDEN"}]}, 1))
    yield whole("result_in_turns", 3, sends=(BEGIN, delta(BEFORE), results, *pieces, *ended))


def _disguises() -> Iterator[Way]:
    """Yield forbidden text that is written around the pattern."""
    written = "F\\u004fRBIDDEN"
    yield way("json_escape", 10, sends=body(f'{{"a": "{written}"}}'), forbidden=written, before='{"a": "')
    yield way("json_escape_stream", 10, sends=stream('{"a": "', "F\\u0", '04fRBIDDEN"}'), forbidden=written,
              before='{"a": "')  # fmt: skip
    spread = partial(way, is_spread=True, is_edited=None)
    yield spread("neighbouring_parts", 10, sends=body(BEFORE, "FORB", "IDDEN"))
    halves = (BEGIN, delta(BEFORE + "FORB"), stop(), delta("IDDEN", 1), stop(1), *END)
    yield spread("neighbouring_parts_stream", 10, sends=halves)
    yield spread("parts_with_a_tool_between", 10, sends=body(BEFORE + "FORB", tool(), "IDDEN"))
    called_between = (start("search", 1), arguments("{}", 1), stop(1))
    pieces = (BEGIN, delta(BEFORE + "FORB"), stop(), *called_between, delta("IDDEN", 2), stop(2), *END)
    yield spread("parts_with_a_tool_between_stream", 10, sends=pieces)
    alone = partial(way, is_edited=None, pattern={"any": [rf"\b{WORD}\b"]})
    yield alone("part_by_itself", 10, sends=body(BEFORE + "x", WORD))
    halves = (BEGIN, delta(BEFORE + "x"), stop(), delta("FORB", 1), delta("IDDEN", 1), *END)
    yield alone("part_by_itself_stream", 10, sends=halves)


WAYS = (
    *malformed_chunks("bedrock_converse", MALFORMED, (BEGIN, delta(BEFORE)), (delta(WORD), delta(AFTER), stop(), *END)),
    *malformed_bodies("bedrock_converse", MALFORMED_BODIES),
    *_finishes(),
    *_parts(),
    *_shapes(),
    *_gaps(),
    *_media(),
    *_unknown(),
    *_reasons(),
    *_interleaved(),
    *_disguises(),
    *_hidden(),
    *disguises("bedrock_converse"),
)  # fmt: skip
