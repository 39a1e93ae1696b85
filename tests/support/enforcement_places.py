"""Places of texts in fields that no reader knows, of OpenAI's chat completions, and the ways to put a text there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from enforcement_table import BEFORE, WORD, Way
from enforcement_wire_openai_chat import body, choice, chunk, message

Place = Callable[[str], Any]


@dataclass(frozen=True)
class Places:
    """Places of one wire format."""

    bodies: Mapping[str, Place]
    events: Mapping[str, Place]
    start: tuple[Any, ...] = ()
    """The events before them."""
    end: tuple[Any, ...] = ()
    """The events after them."""
    odd: Mapping[str, Place] = field(default_factory=dict)
    """Places in a body in which a list stands in place of an object: it may have been anything."""


def _logprobs(text: str) -> dict[str, Any]:
    return {"content": [{"token": text, "bytes": None, "logprob": -0.1, "top_logprobs": []}], "refusal": None}


def _choice(**changes: Any) -> dict[str, Any]:
    return choice({"role": "assistant", "content": BEFORE}) | changes


def _delta(delta: Any = None, **changes: Any) -> dict[str, Any]:
    return {"index": 0, "delta": {} if delta is None else delta, "finish_reason": None} | changes


def _call(**changes: Any) -> dict[str, Any]:
    call = {"id": "c1", "type": "function", "function": {"name": "search", "arguments": "{}"}}
    return message(BEFORE, tool_calls=[call | changes])


def _piece_of_call(**changes: Any) -> dict[str, Any]:
    return chunk(
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "search"}} | changes]}
    )


CHAT = Places(
    bodies={
        "head": lambda text: message(BEFORE, ) | {"output_text": text},
        "head_list": lambda text: message(BEFORE) | {"search_results": [{"title": text, "score": 1}]},
        "head_error": lambda text: message(BEFORE) | {"error": {"message": text}},
        "head_known": lambda text: message(BEFORE) | {"id": {"inner": text}},
        "usage": lambda text: message(BEFORE) | {"usage": {"prompt_tokens": 3, "completion_tokens": 5, "note": text}},
        "choice": lambda text: body(_choice(text=text)),
        "choice_filter": lambda text: body(_choice(content_filter_results={"hate": {"filtered": False, "note": text}})),
        "logprobs": lambda text: body(_choice(logprobs=_logprobs(text))),
        "message": lambda text: message(BEFORE, notes={"deep": [[{"er": text}]]}),
        "message_parsed": lambda text: message(BEFORE, parsed=text),
        "tool_call": lambda text: _call(note=text),
        "tool_call_function": lambda text: _call(function={"name": "search", "arguments": "{}", "note": text}),
        "tool_call_custom": lambda text: _call(custom={"name": text, "input": ""}),
        "content_item": lambda text: message([{"type": "text", "text": BEFORE, "caption": text}]),
        "annotation": lambda text: message(BEFORE, annotations=[{"type": "url_citation", "note": text,
                                           "url_citation": {"title": "x", "url": "https://x.test"}}]),
    },
    events={
        "head": lambda text: chunk({}) | {"output_text": text},
        "choice": lambda text: chunk(choices=[_delta(text=text)]),
        "choice_message": lambda text: chunk(choices=[_delta(message={"content": text})]),
        "logprobs": lambda text: chunk(choices=[_delta(logprobs=_logprobs(text))]),
        "delta": lambda text: chunk({"notes": [text]}),
        "delta_beside": lambda text: chunk({"content": "x", "note": text}),
        "usage": lambda text: chunk(choices=[], usage={"prompt_tokens": 3, "completion_tokens": 5, "note": text}),
        "tool_call": lambda text: _piece_of_call(note=text),
    },
    start=(chunk({"content": BEFORE}),),
    end=(chunk(finish="stop"),),
    odd={
        "message_in_a_list": lambda text: body(_choice(message=[{"role": "assistant", "content": text}])),
        "function_in_a_list": lambda text: _call(function=[{"name": "search", "arguments": text}]),
        "choice_in_a_list": lambda text: body([choice({"role": "assistant", "content": text})]),
    },
)  # fmt: skip


def ways_of_places(
    wire: str, places: Places, name: str = "", request: Mapping[str, Any] | None = None
) -> Iterator[Way]:
    """Yield a way to each place, whole, streamed and in pieces, and one with a text that is not forbidden."""
    asks, name = request or {}, f"unlisted_{name}"
    clean = partial(Way, part=5, wire=wire, actions=("block",), forbidden=None, verdicts=("complied",), request=asks)
    streamed = partial(Way, part=5, wire=wire, is_edited=None, verdicts=("violated", "error"), request=asks)
    for place, put in places.bodies.items():
        yield Way(f"{name}{place}", 5, wire, put(WORD), is_edited=None, request=asks)
        yield clean(f"{name}{place}_clean", sends=put("fine"))
    for place, put in places.odd.items():
        yield Way(f"{name}{place}", 5, wire, put(WORD), before=None, is_edited=None, request=asks)
        yield replace(
            clean(f"{name}{place}_clean", sends=put("fine"), before=None),
            actions=("openblock",),
            verdicts=("unassessed",),
        )
    for place, put in places.events.items():
        yield streamed(f"{name}{place}_stream", sends=(*places.start, put(WORD), *places.end))
        yield streamed(f"{name}{place}_in_pieces", sends=(*places.start, put("FORB"), put("IDDEN"), *places.end),
                       actions=("block", "redact"))  # fmt: skip
        yield clean(f"{name}{place}_clean_stream", sends=(*places.start, put("fine"), put("fine"), *places.end))
