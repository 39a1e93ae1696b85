"""OpenLLMetry (Traceloop), before it wrote the conventions' JSON: every value an attribute of its own, numbered.

Source: `gen_ai.prompt.0.role`, `gen_ai.prompt.0.content` and `gen_ai.completion.0.content` of
https://www.traceloop.com/docs/openllmetry/contributing/semantic-conventions
"""

from __future__ import annotations

from typing import Any

from specspan.bridges.attribute_values import from_json, numbered, word
from specspan.bridges.conventions import IN_ATTRIBUTES, Reader, call_of
from specspan.bridges.dialect import Dialect, Facts, Recorded
from specspan.bridges.messages import message
from specspan.bridges.recorded_content import Side
from specspan.call import Message, ModelCall

_CALLS = ("chat", "completion", "embedding")


def _speaks(recorded: Recorded) -> bool:
    """It says what kind of call it is by a name of its own; without content there is nothing else of its own."""
    return recorded.attributes.get("llm.request.type") in _CALLS


def _read(recorded: Recorded) -> ModelCall:
    facts = recorded.attributes
    definitions = tuple(
        {name: facts[at + name] for name in ("name", "description", "parameters") if at + name in facts}
        for at in numbered(facts, "llm.request.functions.")
    )
    known = {"tools": definitions} if definitions else {}
    return call_of(recorded, (IN_ATTRIBUTES[0], _ASKED), (IN_ATTRIBUTES[1], _ANSWERED), **known)


def _in_numbers(prefix: str, role: str) -> Reader:
    def read(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
        facts = recorded.attributes
        return tuple(message(side, _said(side, facts, at), role) for at in numbered(facts, prefix)) or None

    return read


def _said(side: Side, facts: Facts, at: str) -> dict[str, Any]:
    """A message in the shape of a chat completion's."""
    content = facts.get(at + "content")
    calls = [
        {
            "id": word(facts, call + "id"),
            "function": {
                "name": side.told(facts.get(call + "name"), "tool_calls"),
                "arguments": facts.get(call + "arguments"),
            },
        }
        for call in numbered(facts, at + "tool_calls.")
    ]
    return {
        "role": word(facts, at + "role"),
        "content": _items(content) or content,
        "tool_call_id": word(facts, at + "tool_call_id"),
        "finish_reason": word(facts, at + "finish_reason"),
        **({"tool_calls": calls} if calls else {}),
    }


def _items(content: Any) -> list[Any] | None:
    """A list of content that was written as its JSON."""
    found = from_json(content) if isinstance(content, str) and content.startswith("[{") else None
    items = found if isinstance(found, list) else ()
    return list(items) if items and all(isinstance(item, dict) and "type" in item for item in items) else None


_ASKED = _in_numbers("gen_ai.prompt.", "user")
_ANSWERED = _in_numbers("gen_ai.completion.", "assistant")
DIALECT = Dialect("openllmetry", _speaks, _read)
