"""The texts of a call that checks of one stage can look at, and where each stands.

A model's reasoning is not among them: it is not handed to the user. Media have no text.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specspan._support import drop_counts
from specspan.call import NOT_TOLD, Message, ModelCall, Part, Refusal, Text, ToolCall, ToolCallResponse
from specspan.checks.check import TextAt
from specspan.decision import Stage

Fields = Mapping[type, str]
"""Where a part of each type keeps what is read; parts of other types have no text."""

_SPOKEN: Fields = {Text: "content", Refusal: "content"}
_SOURCES: Mapping[Stage, tuple[str, Fields]] = {
    Stage.INPUT: ("input", {**_SPOKEN, ToolCallResponse: "response"}),
    Stage.OUTPUT: ("output", _SPOKEN),
    Stage.STREAM: ("output", _SPOKEN),
    Stage.TOOL_CALL: ("output", {ToolCall: "arguments"}),
}


def texts(call: ModelCall, stage: Stage) -> tuple[TextAt, ...]:
    """The texts of ``stage``, in the order of the call. Never raises, whatever a tool answered.

    - ``input``: system instructions (``/system_instructions/<j>``, role ``system``), then what the messages say and
      what tools answered;
    - ``output`` and ``stream``: what the model says, refusals included;
    - ``tool_call``: the arguments of each tool call, as JSON text.

    Offsets of evidence count in these texts: a tool's answer that is no string is its JSON text.
    """
    side, fields = _SOURCES[stage]
    if side == "input":
        found = _in_messages(side, call.request.input, fields)
        instructions = call.request.system_instructions
        return (*_in_instructions(instructions), *found) if instructions else tuple(found)
    return tuple(_in_messages(side, call.output, fields))


def _in_messages(side: str, messages: Sequence[Message], fields: Fields) -> list[TextAt]:
    found = []
    for i, message in enumerate(messages):
        for j, part in enumerate(message.parts):
            field = fields.get(part.__class__)
            if field is not None:
                value = getattr(part, field)
                text = value if value.__class__ is str else as_text(value)
                found.append(TextAt(_pointer(side, i, j), message.role, text))
    return found


@functools.lru_cache(4096)  # half the cost of writing it anew
def _pointer(side: str, i: int, j: int) -> str:
    return f"/{side}/{i}/parts/{j}"


def _in_instructions(parts: Sequence[Part]) -> Iterator[TextAt]:
    for j, part in enumerate(parts):
        if isinstance(part, Text):
            yield TextAt(f"/system_instructions/{j}", "system", part.content)


def as_text(value: Any) -> str:
    """A value as the text a check reads: itself if it is text, nothing for None, else JSON."""
    if isinstance(value, str):
        return str.__str__(value)  # a subclass of somebody else's may lie about itself
    if value is None or value is NOT_TOLD:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except Exception:  # a cycle, an object JSON does not know, a number too long, nesting too deep
        return "\n".join(_strings(value))


def _strings(value: Any) -> Iterator[str]:
    """What can be read of a value that JSON cannot hold: every string and number in it, each container once."""
    waiting, seen = [value], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, (Mapping, list, tuple, set, frozenset)):
            if id(value) not in seen:
                seen.add(id(value))
                waiting.extend(reversed(_members(value)))
        elif value is not None:
            yield _printed(value)


def _members(value: Any) -> list[Any]:
    try:
        return [each for item in value.items() for each in item] if isinstance(value, Mapping) else list(value)
    except Exception:  # a container of somebody else's that cannot be walked
        drop_counts.count("text", "unreadable")
        return []


def _printed(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # whatever somebody else's __str__ does
        drop_counts.count("text", "unreadable")
        return ""
