"""Messages in the shape of OpenAI's chat completions, as dicts or as a client's objects, both ways.

Requests and answers share it, and so do other providers that speak it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.providers._anthropic_messages import plain
from specspan.instrument.providers._shapes import (
    Fields,
    Put,
    changed,
    fields,
    listed,
    parsed,
    put_in_list,
    put_texts,
    reference,
    unknown,
    word,
)

_MEDIA = {
    "image_url": "image",
    "input_audio": "audio",
    "audio": "audio",
    "file": "file",
    "document_url": "file",
    "video_url": "video",
}
_SAYS_NOTHING = ("reference",)
"""Items of content that tell where the text beside them comes from."""
_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Not OpenAI's own, but common among those who speak its language; some have both, which say the same."""


def message_of(message: Any, finish_reason: str | None = None) -> Message:
    """One message."""
    said = fields(message)
    parts = tuple([part for part, _ in _places(said)])
    return Message(word(said.get("role")) or "assistant", parts, word(said.get("name")), finish_reason)


def reasoning_of(said: Fields) -> Any:
    """What a model thought, in a message or a delta; None where nothing is said of it."""
    return said.get("reasoning_content") or said.get("reasoning") or said.get("thinking")


def with_texts(messages: Iterable[Any], side: str, edits: Edits) -> list[Any]:
    """``messages`` with the texts that ``edits`` has for the ``side`` of the call in which they stand."""
    return [
        put_texts(message, _places, (edits.get(f"/{side}/{i}/parts/{j}") for j in count()))
        for i, message in enumerate(messages)
    ]


def _places(said: Fields) -> Iterator[tuple[Part, Put | None]]:
    """The parts of a message, each with how to put another text in its place."""
    if reasoning := reasoning_of(said):
        yield Reasoning(reasoning), _put_reasoning
    if plan := said.get("tool_plan"):
        yield Reasoning(plan), None
    content = said.get("content")
    if isinstance(content, str):
        if content:
            yield _text(said, content), _put_content
    else:
        for index, item in enumerate(map(fields, listed(content))):
            if item.get("type") not in _SAYS_NOTHING:
                yield _item(said, index, item)
    if refusal := said.get("refusal"):
        yield Refusal(refusal), _put_refusal
    for call in listed(said.get("tool_calls")):
        yield _tool_call(fields(call)), None
    if function := said.get("function_call"):
        yield _called(fields(function)), None


def _text(said: Fields, text: str) -> Part:
    return ToolCallResponse(text, said.get("tool_call_id")) if said.get("role") in ("tool", "function") else Text(text)


def _item(said: Fields, index: int, item: Fields) -> tuple[Part, Put | None]:
    """One item of a list of content."""
    kind = str(item.get("type"))
    text = item.get("text")
    if isinstance(text, str):
        return _text(said, text), put_in_list("content", index, "text")
    if kind == "refusal":
        return Refusal(item.get("refusal") or ""), put_in_list("content", index, "refusal")
    if kind == "document":
        document = fields(item.get(kind))
        return ToolCallResponse(plain(document.get("data")), said.get("tool_call_id")), _put_document(index, document)
    if kind == "thinking":
        return Reasoning(_thought(item.get(kind))), None
    return (_media(kind, item) if kind in _MEDIA else unknown(kind)), None


def _put_document(index: int, document: Fields) -> Put:
    put: Any = put_in_list("content", index, "document")
    return lambda message, text: put(message, {**document, "data": {"text": text}})


def _thought(thinking: Any) -> str:
    """What was thought: a text, or a list of them."""
    if isinstance(thinking, str):
        return thinking
    return "".join(word(fields(each).get("text")) or "" for each in listed(thinking))


def _media(kind: str, item: Fields) -> Media:
    """A medium, where it is referred to; some write the address itself in its place, or the bytes as a text."""
    medium = item.get(kind)
    if isinstance(medium, str):
        return Media(_MEDIA[kind], *reference(medium if kind.endswith("_url") else None))
    said = fields(medium)
    return Media(_MEDIA[kind], *reference(said.get("url") or said.get("file_id") or item.get("file_id")))


def _put_content(message: Any, text: str) -> Any:
    return changed(message, content=text)


def _put_reasoning(message: Any, text: str) -> Any:
    return changed(message, **{name: text for name in _REASONING if fields(message).get(name)})


def _put_refusal(message: Any, text: str) -> Any:
    return changed(message, refusal=text)


def _tool_call(call: Fields) -> ToolCall:
    if custom := call.get("custom"):
        made = fields(custom)
        return ToolCall(str(made.get("name")), made.get("input"), call.get("id"))
    return _called(fields(call.get("function")), call.get("id"))


def _called(function: Fields, call_id: str | None = None) -> ToolCall:
    return ToolCall(function.get("name") or "", parsed(function.get("arguments")), call_id)
