"""Bodies of requests and answers, as clients and LangChain have them, where a dialect records those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.bridges.messages import message, messages
from specspan.bridges.model import Facts
from specspan.bridges.side import NOT_RECORDED, NOT_UNDERSTOOD, Side
from specspan.call import Message, Text
from specspan.instrument.providers import _responses as responses

_ASKED = ("messages", "input", "inputs", "prompt", "prompts")


def asked(side: Side, body: Any) -> tuple[Message, ...]:
    """What a request asks: a mapping, a list of messages, or a text."""
    if not isinstance(body, Mapping):
        return _spoken(side, _flat(body), "user") if body else _nothing(side)
    system = body.get("system") or body.get("instructions")
    before = (message(side, {"role": "system", "content": system}, "system"),) if system else ()
    found = next((body[name] for name in _ASKED if body.get(name)), None)
    if found is None:
        return before + _nothing(side)
    found = _flat(found)
    if isinstance(found, list) and any(_is_item(each) for each in found):
        return before + tuple(side.looked_over(responses.message_of(each)) for each in found)
    return before + _spoken(side, found, "user")


def answered(side: Side, body: Any) -> tuple[Message, ...]:
    """What an answer says."""
    if not isinstance(body, Mapping):
        return _spoken(side, body, "assistant") if body else _nothing(side)
    for name, read in _ANSWERS.items():
        if body.get(name) is not None:
            return read(side, body)
    return _nothing(side)


def _spoken(side: Side, found: Any, role: str) -> tuple[Message, ...]:
    """Messages; or a text, which is all that was said."""
    return (Message(role, (Text(side.told(found)),)),) if isinstance(found, str) else messages(side, found, role)


def _flat(found: Any) -> Any:
    """LangChain asks for several answers at once: a list of lists."""
    nested = isinstance(found, list) and any(isinstance(each, list) for each in found)
    return [each for batch in found for each in (batch if isinstance(batch, list) else [batch])] if nested else found


def _nothing(side: Side) -> tuple[Message, ...]:
    side.missed(NOT_RECORDED)
    return ()


def _is_item(value: Any) -> bool:
    """Whether it is one of the Responses API's items, which a message of theirs may be, too."""
    kind = str(value.get("type", "")) if isinstance(value, Mapping) else ""
    return kind == "message" or kind.endswith(("_call", "_call_output"))


def _choices(side: Side, body: Facts) -> tuple[Message, ...]:
    return tuple(_choice(side, each) for each in _list(side, body["choices"]))


def _choice(side: Side, choice: Any) -> Message:
    if not isinstance(choice, Mapping):
        return message(side, choice, "assistant")
    reason = choice.get("finish_reason")
    if "message" not in choice:  # of a completion that is no chat
        return Message("assistant", (Text(side.told(choice.get("text"))),), finish_reason=reason)
    said = choice["message"]
    return message(side, {**said, "finish_reason": reason} if isinstance(said, Mapping) else said, "assistant")


def _content(side: Side, body: Facts) -> tuple[Message, ...]:
    """One message, which is the whole of the body, as Anthropic has it."""
    return (
        message(side, {**body, "finish_reason": body.get("stop_reason") or body.get("finish_reason")}, "assistant"),
    )


def _output(side: Side, body: Facts) -> tuple[Message, ...]:
    """Items of the Responses API, or whatever else was called the output."""
    found = body["output"]
    if isinstance(found, list) and any(_is_item(each) for each in found):
        return (side.looked_over(responses.answer_of(found, None)),)
    return answered(side, found)


def _generations(side: Side, body: Facts) -> tuple[Message, ...]:
    """What LangChain records: for each of several at once, one or more answers."""
    found = _list(side, body["generations"])
    return tuple(_generation(side, each) for each in _flat(found))


def _generation(side: Side, each: Any) -> Message:
    if isinstance(each, Mapping) and "message" in each:
        return message(side, each["message"], "assistant")
    return Message("assistant", (Text(side.told(each.get("text") if isinstance(each, Mapping) else each)),))


def _message(side: Side, body: Facts) -> tuple[Message, ...]:
    return (message(side, body["message"], "assistant"),)


def _text(side: Side, body: Facts) -> tuple[Message, ...]:
    text = next(body[name] for name in _TEXTS if body.get(name) is not None)
    return (Message("assistant", (Text(side.told(text)),)),)


def _messages(side: Side, body: Facts) -> tuple[Message, ...]:
    return messages(side, body["messages"], "assistant")


def _list(side: Side, value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    side.missed(NOT_UNDERSTOOD)
    return []


_TEXTS = ("text", "combined_chunk_content")
_ANSWERS = {
    "choices": _choices,
    "generations": _generations,
    "message": _message,
    "messages": _messages,
    "output": _output,
    "content": _content,
    "kwargs": lambda side, body: (message(side, body, "assistant"),),
    "text": _text,
    "combined_chunk_content": _text,
}
