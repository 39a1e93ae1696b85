"""Messages in the shapes in which they are recorded: the conventions' own, and those of providers and LangChain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from specspan.bridges.dialect import Facts
from specspan.bridges.recorded_content import NOT_RECORDED, NOT_UNDERSTOOD, Side
from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.formats import anthropic_messages as anthropic
from specspan.instrument.formats import openai_chat as chat
from specspan.instrument.formats import openai_responses as responses
from specspan.instrument.formats.fields import media_reference

_ANTHROPIC = ("tool_use", "tool_result", "thinking", "document", "server_tool_use")
_SENDERS = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
"""LangChain's names for roles."""


def messages(side: Side, recorded: Any, role: str) -> tuple[Message, ...]:
    """Messages, or JSON of them, each in whichever shape it has; ``role`` of those that name none."""
    found = side.json(recorded)
    if isinstance(found, str):
        return (Message(role, (Text(side.told(found)),)),)
    if isinstance(found, Mapping):
        found = [found]
    if not isinstance(found, (list, tuple, type(None))):
        side.missed(NOT_UNDERSTOOD)
        return ()
    if not found:
        side.missed(NOT_RECORDED)
        return ()
    return tuple(message(side, each, role) for each in found)


def message(side: Side, recorded: Any, role: str) -> Message:
    """One message."""
    if not isinstance(recorded, Mapping):
        side.missed(NOT_UNDERSTOOD)
        return Message(role)
    if "parts" in recorded:
        made = Message(
            str(recorded.get("role") or role),
            parts(side, recorded["parts"]),
            _word(recorded.get("name")),
            _word(recorded.get("finish_reason")),
        )
        if not made.parts:  # some leave out what they have no word for, and the text beside it
            side.missed(NOT_RECORDED)
        return made
    return _said(side, recorded, role)


def parts(side: Side, recorded: Any) -> tuple[Part, ...]:
    """Parts in the shape of the conventions, or JSON of them."""
    found = side.json(recorded)
    if isinstance(found, str):
        return (Text(side.told(found)),)
    if not isinstance(found, (list, tuple)):
        side.missed(NOT_UNDERSTOOD)
        return ()
    return tuple(_part(side, each) for each in found)


def _part(side: Side, part: Any) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    read = _PARTS.get(kind) if isinstance(kind, str) else None
    if read is None:
        side.missed(NOT_UNDERSTOOD)
        return Unknown(str(kind))
    return read(side, part)


def _text(kind: Callable[[str], Part]) -> Callable[[Side, Facts], Part]:
    return lambda side, part: kind(side.told(part.get("content")))


def _medium(side: Side, part: Facts) -> Part:
    uri, mime_type = media_reference(part.get("uri") or part.get("file_id") or part.get("url"))
    return Media(str(part.get("modality") or "file"), uri, _word(part.get("mime_type")) or mime_type)


def _tool_call(side: Side, part: Facts) -> Part:
    return ToolCall(side.told(part.get("name"), "tool_calls"), side.arguments_of(part.get("arguments")), _id(part))


def _tool_answer(side: Side, part: Facts) -> Part:
    answer = part.get("response", part.get("result"))
    return ToolCallResponse(side.told(answer) if answer is None or isinstance(answer, str) else answer, _id(part))


_PARTS: Mapping[str, Callable[[Side, Facts], Part]] = {
    "text": _text(Text),
    "reasoning": _text(Reasoning),
    "thinking": _text(Reasoning),
    "refusal": _text(Refusal),
    "tool_call": _tool_call,
    "tool_call_response": _tool_answer,
    "uri": _medium,
    "blob": _medium,
    "file": _medium,
    "image-url": _medium,
    "audio-url": _medium,
    "video-url": _medium,
    "document-url": _medium,
    "binary": _medium,
}


def _said(side: Side, recorded: Facts, role: str) -> Message:
    """A message in the shape of a provider's, or of LangChain's."""
    if isinstance(recorded.get("kwargs"), Mapping):
        return _langchain(side, recorded["kwargs"], role)
    if str(recorded.get("type")) in _SENDERS and "role" not in recorded:
        return _langchain(side, recorded, role)
    said = recorded if recorded.get("role") else {**recorded, "role": role}
    try:
        reader = anthropic.read_message if _is_anthropic(said.get("content")) else chat.read_message
        made = side.looked_over(reader(said, _word(recorded.get("finish_reason"))))
    except (TypeError, ValueError, AttributeError):
        side.missed(NOT_UNDERSTOOD)
        return Message(str(said["role"]))
    if not made.parts and said.get("content") != "":
        side.missed(NOT_RECORDED, "text")
    return made


def _is_anthropic(content: Any) -> bool:
    items = content if isinstance(content, list) else ()
    return any(isinstance(item, Mapping) and item.get("type") in _ANTHROPIC for item in items)


def _langchain(side: Side, said: Facts, role: str) -> Message:
    """LangChain's messages keep tool calls in a shape of their own."""
    sender = _SENDERS.get(str(said.get("type")), role)
    calls = [
        ToolCall(side.told(call.get("name"), "tool_calls"), side.arguments_of(call.get("args")), _id(call))
        for call in _list(said.get("tool_calls"))
        if isinstance(call, Mapping)
    ]
    content = said.get("content")
    rest = {"role": sender, "content": content, "tool_call_id": said.get("tool_call_id")}
    if content or not calls:
        made = _said(side, rest, sender)
        known = tuple(part for part in made.parts if not (calls and isinstance(part, ToolCall)))
        return Message(sender, (*known, *calls))
    return Message(sender, tuple(calls))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _id(part: Facts) -> str | None:
    return _word(part.get("id"))


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
        return before + tuple(side.looked_over(responses.read_item(each)) for each in found)
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
    return tuple(_choice(side, each) for each in _list_bodies(side, body["choices"]))


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
        return (side.looked_over(responses.read_output(found, None)),)
    return answered(side, found)


def _generations(side: Side, body: Facts) -> tuple[Message, ...]:
    """What LangChain records: for each of several at once, one or more answers."""
    found = _list_bodies(side, body["generations"])
    return tuple(_generation(side, each) for each in _flat(found))


def _generation(side: Side, each: Any) -> Message:
    if isinstance(each, Mapping) and "message" in each:
        return message(side, each["message"], "assistant")
    return Message("assistant", (Text(side.told(each.get("text") if isinstance(each, Mapping) else each)),))


def _message(side: Side, body: Facts) -> tuple[Message, ...]:
    return (message(side, body["message"], "assistant"),)


def _text_bodies(side: Side, body: Facts) -> tuple[Message, ...]:
    text = next(body[name] for name in _TEXTS if body.get(name) is not None)
    return (Message("assistant", (Text(side.told(text)),)),)


def _messages(side: Side, body: Facts) -> tuple[Message, ...]:
    return messages(side, body["messages"], "assistant")


def _list_bodies(side: Side, value: Any) -> list[Any]:
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
    "text": _text_bodies,
    "combined_chunk_content": _text_bodies,
}
