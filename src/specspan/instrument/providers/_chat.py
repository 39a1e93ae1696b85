"""Messages in the shape of OpenAI's chat completions, as dicts or as a client's objects, both ways.

Requests and answers share it, and so do other providers that speak it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.adapter import Edits

Put: TypeAlias = Callable[[Any, str], Any]
"""Gives a message with another text in one place."""

_MEDIA = {"image_url": "image", "input_audio": "audio", "audio": "audio", "file": "file", "video_url": "video"}


def get(thing: Any, name: str) -> Any:
    """A field of a dict or an object; None where there is none."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def changed(thing: Any, **changes: Any) -> Any:
    """A copy with other values in some fields."""
    return {**thing, **changes} if isinstance(thing, Mapping) else thing.model_copy(update=changes)


def message_of(message: Any, finish_reason: str | None = None) -> Message:
    """One message."""
    parts = tuple(part for part, _ in _places(message))
    return Message(str(get(message, "role") or "assistant"), parts, get(message, "name"), finish_reason)


def with_texts(messages: Iterable[Any], side: str, edits: Edits) -> list[Any]:
    """``messages`` with the texts that ``edits`` has for the ``side`` of the call in which they stand."""
    return [_with_texts(message, f"/{side}/{i}/parts/", edits) for i, message in enumerate(messages)]


def _with_texts(message: Any, prefix: str, edits: Edits) -> Any:
    for j, (_, put) in enumerate(_places(message)):  # an edit puts a text in place of a text: the places stay
        text = edits.get(f"{prefix}{j}")
        if text is not None and put is not None:
            message = put(message, text)
    return message


def _places(message: Any) -> Iterator[tuple[Part, Put | None]]:
    """The parts of a message, each with how to put another text in its place."""
    reasoning = get(message, "reasoning_content")  # not OpenAI's own, but common among those who speak its language
    if isinstance(reasoning, str) and reasoning:
        yield Reasoning(reasoning), _field("reasoning_content")
    yield from _content_places(message)
    refusal = get(message, "refusal")
    if isinstance(refusal, str) and refusal:
        yield Refusal(refusal), _field("refusal")
    for call in get(message, "tool_calls") or ():
        yield _tool_call(call), None
    function = get(message, "function_call")
    if function is not None:
        yield _called(function), None


def _content_places(message: Any) -> Iterator[tuple[Part, Put | None]]:
    content = get(message, "content")
    answers = get(message, "role") in ("tool", "function")
    call_id = get(message, "tool_call_id")

    def said(text: str) -> Part:
        return ToolCallResponse(text, call_id) if answers else Text(text)

    if isinstance(content, str):
        if content:
            yield said(content), _field("content")
    elif isinstance(content, (list, tuple)):
        for index, item in enumerate(content):
            text = get(item, "text")
            yield (said(text), _item(index)) if isinstance(text, str) else (_content(item), None)


def _field(name: str) -> Put:
    return lambda message, text: changed(message, **{name: text})


def _item(index: int) -> Put:
    def put(message: Any, text: str) -> Any:
        content = list(get(message, "content"))
        content[index] = changed(content[index], text=text)
        return changed(message, content=content)

    return put


def _content(item: Any) -> Part:
    kind = str(get(item, "type"))
    if kind == "refusal":
        return Refusal(str(get(item, "refusal")))
    return Media(_MEDIA[kind], *_reference(get(item, kind))) if kind in _MEDIA else Unknown(kind)


def _reference(media: Any) -> tuple[str | None, str | None]:
    """URI and MIME type; the bytes that a ``data:`` URI holds are left where they are."""
    uri = get(media, "url") or get(media, "file_id")
    if isinstance(uri, str) and uri.startswith("data:"):
        return None, uri[len("data:") :].partition(",")[0].partition(";")[0] or None
    return uri, None


def _tool_call(call: Any) -> ToolCall:
    custom = get(call, "custom")
    if custom is not None:
        return ToolCall(str(get(custom, "name")), get(custom, "input"), get(call, "id"))
    return _called(get(call, "function"), get(call, "id"))


def _called(function: Any, call_id: str | None = None) -> ToolCall:
    return ToolCall(str(get(function, "name") or ""), _parsed(get(function, "arguments")), call_id)


def _parsed(arguments: Any) -> Any:
    try:
        return json.loads(arguments)
    except (TypeError, ValueError, RecursionError):
        return arguments
