"""Ways that every wire format has: the text stands in a field that no reader knows, beside those that are read.

Each place is a function of its text, which returns a body, or the one event of a stream that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import enforcement_wire_anthropic as claude
import enforcement_wire_bedrock_invoke as invoke
import enforcement_wire_cohere as cohere
import enforcement_wire_google as google
import enforcement_wire_mistral as mistral
import enforcement_wire_ollama as ollama
import enforcement_wire_openai_completions as completion
import enforcement_wire_openai_responses as responses
from enforcement_places import CHAT, Places, ways_of_places
from enforcement_table import BEFORE, WORD, Way, wire_of
from enforcement_ways_all import WIRES


def _cited(**changes: Any) -> dict[str, Any]:
    return claude.text(BEFORE, citations=[{"type": "char_location", "cited_text": "x", "document_title": "x",
                       "document_index": 0} | changes])  # fmt: skip


CLAUDE = Places(
    bodies={
        "head": lambda text: claude.body(claude.text(BEFORE), output_text=text),
        "head_error": lambda text: claude.body(claude.text(BEFORE), error={"type": "error", "message": text}),
        "stop_details": lambda text: claude.body(claude.text(BEFORE), stop_details={"type": "refusal",
                                                 "category": "x", "explanation": text}),
        "usage": lambda text: claude.body(claude.text(BEFORE), usage={"input_tokens": 3, "output_tokens": 5,
                                          "note": text}),
        "text_block": lambda text: claude.body(claude.text(BEFORE, note=text)),
        "thinking_block": lambda text: claude.body({"type": "thinking", "thinking": "hm", "signature": "s",
                                                   "note": text}, claude.text(BEFORE)),
        "tool_use": lambda text: claude.body(claude.text(BEFORE), claude.tool("search", {}) | {"note": text}),
        "tool_result": lambda text: claude.body(claude.text(BEFORE), {"type": "mcp_tool_result", "tool_use_id": "t",
                                                "is_error": False, "content": [claude.text("x", note=text)]}),
        "citation": lambda text: claude.body(_cited(note=text)),
    },
    events={
        "message_start": lambda text: claude.begin(notes=[text]),
        "text_block": lambda text: claude.start(claude.text("", note=text), 1),
        "text_delta": lambda text: claude.delta({"type": "text_delta", "text": "", "note": text}),
        "json_delta": lambda text: claude.delta({"type": "input_json_delta", "partial_json": "", "note": text}),
        "block_delta": lambda text: claude.delta({"type": "text_delta", "text": ""}) | {"note": text},
        "block_stop": lambda text: claude.stop() | {"note": text},
        "message_delta": lambda text: claude.reason() | {"note": text},
        "message_delta_delta": lambda text: claude.reason() | {"delta": {"stop_reason": "end_turn", "note": text}},
        "message_stop": lambda text: {"type": "message_stop", "message_text": text},
    },
    start=(claude.begin(), claude.start(claude.text("")), claude.delta(BEFORE)),
    end=(claude.stop(), claude.reason(), {"type": "message_stop"}),
)  # fmt: skip


def _said(**changes: Any) -> dict[str, Any]:
    return responses.body(responses.message(BEFORE), **changes)


def _item(*content: Any, **changes: Any) -> dict[str, Any]:
    return responses.body(responses.message(*content, **changes))


RESPONSES = Places(
    bodies={
        "head": lambda text: _said(output_text=text),
        "error": lambda text: _said(error={"code": "x", "message": text}),
        "instructions": lambda text: _said(instructions=text),
        "metadata": lambda text: _said(metadata={"note": text}),
        "setting_number": lambda text: _said(max_tool_calls=text),
        "setting_object": lambda text: _said(reasoning=text),
        "setting_list": lambda text: _said(tools=[text]),
        "usage": lambda text: _said(usage=responses.USAGE | {"note": text}),
        "item": lambda text: _item(BEFORE, note=text),
        "part": lambda text: _item(responses.part(BEFORE) | {"note": text}),
        "annotation": lambda text: _item(responses.part(BEFORE, [{"type": "url_citation", "title": "x", "url": "u",
                                         "start_index": 0, "end_index": 1, "note": text}])),
        "logprobs": lambda text: _item(responses.part(BEFORE) | {"logprobs": [{"token": text, "bytes": [],
                                       "logprob": 0, "top_logprobs": []}]}),
        "tool_call": lambda text: responses.body(responses.message(BEFORE), responses.tool() | {"note": text}),
        "tool_result": lambda text: responses.body(responses.message(BEFORE), {"type": "file_search_call", "id": "f",
                                    "queries": ["x"], "status": "completed", "results": [{"text": "x",
                                    "attributes": {"note": text}}]}),
    },
    events={
        "delta": lambda text: responses.delta("x", note=text),
        "item_added": lambda text: responses.added(responses.message(id_="m2") | {"note": text}, 1),
        "part_added": lambda text: responses.event("content_part.added", output_index=0, content_index=0,
                                                   item_id="msg_1", part=responses.part("") | {"note": text}),
        "unknown_event": lambda text: {"type": "news", "sequence_number": 0, "text": text},
        "other_prefix": lambda text: {"type": "responses.mcp_call_arguments.delta", "sequence_number": 0, "note": text},
        "arguments_done": lambda text: responses.event("function_call_arguments.done", output_index=0,
                                                       item_id="msg_1", arguments="", note=text),
        "in_progress": lambda text: responses.event("in_progress", response=responses.body(status="in_progress",
                                                    usage=None) | {"note": text}),
        "error": lambda text: responses.event("in_progress", response=responses.body(status="in_progress",
                                              usage=None) | {"error": {"code": "x", "message": text}}),
    },
    start=(*responses.opened(), responses.delta(BEFORE)),
    end=responses.closed(BEFORE),
)  # fmt: skip
COMPLETION = Places(
    bodies={
        "head": lambda text: completion.body(BEFORE, output_text=text),
        "choice": lambda text: completion.body(BEFORE, choices=[{"index": 0, "text": BEFORE, "finish_reason": "stop",
                                               "message": {"content": text}}]),
        "logprobs": lambda text: completion.body(BEFORE, choices=[{"index": 0, "text": BEFORE, "logprobs":
                                                 {"tokens": [text], "token_logprobs": [0]}, "finish_reason": "stop"}]),
    },
    events={
        "head": lambda text: completion.body("", None, usage=None, output_text=text),
        "choice": lambda text: completion.body("", None, usage=None, choices=[{"index": 0, "text": "",
                                               "finish_reason": None, "delta": {"content": text}}]),
    },
    start=(completion.body(BEFORE, None, usage=None),),
    end=(completion.body("", usage=None),),
)  # fmt: skip
COHERE = Places(
    bodies={
        "head": lambda text: cohere.body(BEFORE) | {"output_text": text},
        "message": lambda text: cohere.body(BEFORE, note=text),
        "content": lambda text: cohere.body() | {"message": {"role": "assistant", "content": [{"type": "text",
                                                 "text": BEFORE, "note": text}]}},
        "tool_call": lambda text: cohere.body(BEFORE, tool_calls=[cohere.tool() | {"note": text}]),
    },
    events={
        "event": lambda text: cohere.event("content-delta", 0, content={"text": ""}) | {"note": text},
        "delta": lambda text: {"type": "content-delta", "index": 0, "delta": {"note": text, "message": {"content":
                               {"text": ""}}}},
        "message": lambda text: cohere.event("content-delta", 0, content={"text": ""}, note=text),
        "content": lambda text: cohere.event("content-delta", 0, content={"text": "", "note": text}),
        "content_end": lambda text: cohere.event("content-end", 0) | {"note": text},
    },
    start=(cohere.BEGIN, cohere.start(), cohere.text(BEFORE)),
    end=(cohere.event("content-end", 0), cohere.end()),
)  # fmt: skip
GOOGLE = Places(
    bodies={
        "block_reason_message": lambda text: google.body(google.candidate(BEFORE), promptFeedback={
                                             "blockReasonMessage": text}),
        "logprobs": lambda text: google.body(google.candidate(BEFORE, logprobsResult={"chosenCandidates":
                                             [{"token": text}]})),
    },
    events={
        "logprobs": lambda text: google.chunk("", logprobsResult={"chosenCandidates": [{"token": text}]}),
    },
    start=(google.chunk(BEFORE),),
    end=(google.chunk("", why="STOP"),),
)  # fmt: skip
MISTRAL = Places(
    bodies={
        "messages": lambda text: mistral.body(mistral.choice(BEFORE) | {"messages": [{"role": "assistant",
                                              "content": text}]}),
        "logprobs": lambda text: mistral.body(mistral.choice(BEFORE) | {"logprobs": {"content": [{"token": text,
                                              "token_id": 1, "logprob": 0, "bytes": []}]}}),
    },
    events={
        "logprobs": lambda text: mistral.chunk("", choices=[{"index": 0, "delta": {"content": ""},
                                               "finish_reason": None, "logprobs": {"content": [{"token": text,
                                               "token_id": 1, "logprob": 0, "bytes": []}]}}]),
    },
    start=(mistral.chunk(BEFORE),),
    end=(mistral.chunk("", "stop"),),
)  # fmt: skip
OLLAMA = Places(
    bodies={
        "logprobs": lambda text: ollama.body(BEFORE) | {"logprobs": [{"token": text, "logprob": 0}]},
    },
    events={
        "logprobs": lambda text: ollama.piece("") | {"logprobs": [{"token": text, "logprob": 0}]},
    },
    start=(ollama.piece(BEFORE),),
    end=(ollama.END,),
)
LLAMA = Places(
    bodies={
        "head": lambda text: invoke.llama(BEFORE) | {"output_text": text},
        "other_text": lambda text: {"outputText": BEFORE} | invoke.llama(text),
        "image_of_text": lambda text: invoke.llama(BEFORE) | {"data": {"text": text}},
    },
    events={
        "head": lambda text: invoke.llama("", None) | {"note": [text]},
    },
    start=(invoke.llama(BEFORE, None),),
    end=(invoke.llama(""),),
)
PLACES: Mapping[str, Places] = {
    **dict.fromkeys(("openai_chat", "groq", "together"), CHAT),
    "anthropic": CLAUDE,
    "openai_responses": RESPONSES,
    "openai_completions": COMPLETION,
    "cohere": COHERE,
    "google": GOOGLE,
    "mistral": MISTRAL,
    "ollama": OLLAMA,
    "bedrock_invoke": LLAMA,
}
_INVOKED: Mapping[str, tuple[Places, Mapping[str, Any]]] = {
    "claude": (CLAUDE, {"model": "anthropic.claude-3", "asks": {"max_tokens": 9, "messages": [{"role": "user",
               "content": "hi"}], "anthropic_version": "bedrock-2023-05-31"}}),
    "jamba": (CHAT, {"model": "ai21.jamba-1-5", "asks": {"messages": [{"role": "user", "content": "hi"}]}}),
}  # fmt: skip
"""Bodies of other makers through Amazon Bedrock's InvokeModel."""


_GENERATED = ("openai_chat", "openai_responses", "openai_completions", "groq", "together", "anthropic")
"""Wire formats of clients that hand over whatever JSON they get."""
_LINES = {
    "comment": b": FORBIDDEN\n\n",
    "unknown_field": b"note: FORBIDDEN\n\n",
    "no_json": b"data: FORBIDDEN\n\n",
    "text": b'data: "FORBIDDEN"\n\n',
    "error": b'data: {"error": {"message": "FORBIDDEN"}}\n\n',
}
"""Lines of a stream that are no chunk, for whoever reads its bytes."""


def _no_objects(wire: str) -> Iterator[Way]:
    """Yield answers and events that are no objects, and lines of a stream that are no event."""
    format_ = wire_of(wire)
    way = partial(Way, part=5, wire=wire, is_edited=None, verdicts=("violated", "error"), actions=("block", "redact"))
    whole, read_as_bytes = ("plain", "raw", "streaming_response"), ("streaming_response_stream",)
    yield way(id="body_in_a_list", sends=[format_.answer(WORD)], modes=whole, before=None)
    if wire in ("anthropic", "openai_responses"):  # every event of theirs has a name
        return
    listed = tuple([each] for each in format_.stream(BEFORE, WORD))
    both = ("stream", "streaming_response_stream")
    yield way(id="events_in_lists", sends=listed, modes=both, clause={"on_unread": "open"})
    yield way(id="events_in_lists_closed", sends=listed, modes=both, verdicts=("unassessed",), before=None)
    for name, line in _LINES.items():
        yield way(id=f"line_{name}", sends=(*format_.stream(BEFORE), line), modes=read_as_bytes)
        clean = (*format_.stream(BEFORE), line.replace(WORD.encode(), b"fine"))
        is_odd = name in ("no_json", "text")  # a text in place of an event, which may have been anything
        yield Way(f"line_{name}_clean", 5, wire, clean, read_as_bytes, ("openblock" if is_odd else "block",),
                  forbidden=None, verdicts=("unassessed",) if is_odd else ("complied",))  # fmt: skip


WAYS = (
    *(way for wire in _GENERATED for way in _no_objects(wire)),
    *(way for wire in WIRES if wire in PLACES for way in ways_of_places(wire, PLACES[wire])),
    *(
        way
        for name, (places, asks) in _INVOKED.items()
        for way in ways_of_places("bedrock_invoke", places, f"{name}_", asks)
    ),
)
