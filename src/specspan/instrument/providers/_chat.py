"""Messages in the shape of OpenAI's chat completions, as dicts or as a client's objects, both ways.

Requests and answers share it, and so do other providers that speak it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.adapter import Edits

Fields: TypeAlias = Mapping[str, Any]
Put: TypeAlias = Callable[[Any, str], Any]
"""Gives a message with another text in one place."""

_MEDIA = {"image_url": "image", "input_audio": "audio", "audio": "audio", "file": "file", "video_url": "video"}


def fields(thing: Any) -> Fields:
    """The fields of a dict or of a client's object; none of None."""
    if thing.__class__ is dict:
        found: Fields = thing
        return found
    if thing is None:
        return {}
    if _is_mapping(thing.__class__):
        mapping: Fields = thing
        return mapping
    extra = getattr(thing, "__pydantic_extra__", None)  # what the client's version does not know
    return {**vars(thing), **extra} if extra else vars(thing)


@lru_cache(maxsize=256)
def _is_mapping(kind: type) -> bool:
    return issubclass(kind, Mapping)


def changed(thing: Any, **changes: Any) -> Any:
    """A copy with other values in some fields."""
    return {**thing, **changes} if isinstance(thing, Mapping) else thing.model_copy(update=changes)


def message_of(message: Any, finish_reason: str | None = None) -> Message:
    """One message."""
    said = fields(message)
    parts = tuple([part for part, _ in _places(said)])
    return Message(said.get("role") or "assistant", parts, said.get("name"), finish_reason)


def with_texts(messages: Iterable[Any], side: str, edits: Edits) -> list[Any]:
    """``messages`` with the texts that ``edits`` has for the ``side`` of the call in which they stand."""
    return [_with_texts(message, f"/{side}/{i}/parts/", edits) for i, message in enumerate(messages)]


def _with_texts(message: Any, prefix: str, edits: Edits) -> Any:
    for j, (_, put) in enumerate(_places(fields(message))):
        text = edits.get(f"{prefix}{j}")
        if text is not None and put is not None:
            message = put(message, text)
    return message


def _places(said: Fields) -> Iterator[tuple[Part, Put | None]]:
    """The parts of a message, each with how to put another text in its place."""
    if reasoning := said.get("reasoning_content"):  # not OpenAI's own, but common among those who speak its language
        yield Reasoning(reasoning), _put_reasoning
    content = said.get("content")
    if isinstance(content, str):
        if content:
            yield _text(said, content), _put_content
    elif content is not None:
        for index, item in enumerate(content):
            yield _item(said, index, fields(item))
    if refusal := said.get("refusal"):
        yield Refusal(refusal), _put_refusal
    for call in said.get("tool_calls") or ():
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
        return _text(said, text), lambda message, text: _put_item(message, index, text)
    if kind == "refusal":
        return Refusal(item.get("refusal") or ""), None
    return (Media(_MEDIA[kind], *_reference(fields(item.get(kind)))) if kind in _MEDIA else Unknown(kind)), None


def _put_content(message: Any, text: str) -> Any:
    return changed(message, content=text)


def _put_reasoning(message: Any, text: str) -> Any:
    return changed(message, reasoning_content=text)


def _put_refusal(message: Any, text: str) -> Any:
    return changed(message, refusal=text)


def _put_item(message: Any, index: int, text: str) -> Any:
    content = list(fields(message)["content"])
    content[index] = changed(content[index], text=text)
    return changed(message, content=content)


def _reference(media: Fields) -> tuple[str | None, str | None]:
    """URI and MIME type; the bytes that a ``data:`` URI holds are left where they are."""
    uri = media.get("url") or media.get("file_id")
    if isinstance(uri, str) and uri.startswith("data:"):
        return None, uri[len("data:") :].partition(",")[0].partition(";")[0] or None
    return uri, None


def _tool_call(call: Fields) -> ToolCall:
    if custom := call.get("custom"):
        made = fields(custom)
        return ToolCall(str(made.get("name")), made.get("input"), call.get("id"))
    return _called(fields(call.get("function")), call.get("id"))


def _called(function: Fields, call_id: str | None = None) -> ToolCall:
    return ToolCall(function.get("name") or "", _parsed(function.get("arguments")), call_id)


def _parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments)
    except (TypeError, ValueError, RecursionError):
        return arguments
