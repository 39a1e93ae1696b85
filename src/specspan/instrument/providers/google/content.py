"""Contents in the shape of Gemini's API, as texts, dicts or the client's objects.

Requests and responses have this shape. Applications may write field names in either case: ``function_call``,
``functionCall``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from specspan.call import Media, Part, Reasoning, Text, ToolCall, ToolCallResponse
from specspan.instrument.formats.bodies import EditablePart, JsonPath, Turn, replace_at
from specspan.instrument.formats.fields import (
    as_list,
    as_mapping,
    as_str,
    count_not_understood,
    to_plain_data,
    unknown_part,
)

ROLES = {"model": "assistant", "function": "tool"}
_MEDIA = ("image", "audio", "video")
_BOOKKEEPING_FIELDS = ("thought", "thought_signature", "thoughtSignature", "video_metadata", "videoMetadata")


def get_field(thing: Any, name: str) -> Any:
    """Return a field of a dict or an object, by its name in snake case or camel case."""
    fields = as_mapping(thing)
    value = fields.get(name)
    if value is None and "_" in name:
        first, *rest = name.split("_")
        value = fields.get(first + "".join(each.title() for each in rest))
    return value


def read_turns(contents: Any, *path: str | int) -> list[Turn]:
    """Return the turns of ``contents`` in any form the client accepts; ``path`` leads to them in the request.

    Consecutive parts without a role are one turn.
    """
    if not isinstance(contents, (list, tuple)):
        return list(_group_turns([(contents, path)]))
    items: list[tuple[Any, JsonPath]] = []
    for index, each in enumerate(contents):
        here = (*path, index)
        nested = isinstance(each, (list, tuple))
        items.extend([(inner, (*here, at)) for at, inner in enumerate(each)] if nested else [(each, here)])
    return list(_group_turns(items))


def _group_turns(items: list[tuple[Any, JsonPath]]) -> Iterator[Turn]:
    loose: list[EditablePart] = []
    for item, path in items:
        if not isinstance(item, str) and (get_field(item, "parts") is not None or get_field(item, "role") is not None):
            if loose:
                yield Turn("user", tuple(loose))
                loose = []
            yield _read_turn(item, *path)
        else:
            loose.extend(_read_part(item, path))
    if loose:
        yield Turn("user", tuple(loose))


def _read_turn(content: Any, *path: str | int) -> Turn:
    """Return the turn of one content at ``path``."""
    role = as_str(get_field(content, "role")) or "user"
    return Turn(ROLES.get(role, role), tuple(content_parts(content, *path)))


def content_parts(content: Any, *path: str | int) -> list[EditablePart]:
    """Return the parts of one content, each with the function that replaces its text."""
    parts = get_field(content, "parts")
    if isinstance(parts, str):
        return [(Text(parts), replace_at(*path, "parts"))]
    return [place for at, part in enumerate(as_list(parts)) for place in _read_part(part, (*path, "parts", at))]


def join_texts(places: Iterable[EditablePart]) -> Iterator[EditablePart]:
    """Yield the parts with consecutive texts joined, because readers of an answer see one text."""
    pending: EditablePart | None = None
    for place in places:
        if pending is not None and isinstance(pending[0], Text) and isinstance(place[0], Text):
            pending = Text(pending[0].content + place[0].content), _replace_both(pending[1], place[1])
            continue
        if pending is not None:
            yield pending
        pending = place
    if pending is not None:
        yield pending


def _replace_both(first: Any, second: Any) -> Any:
    return lambda body, text: second(first(body, text), "")


def _read_part(part: Any, path: JsonPath) -> Iterator[EditablePart]:
    """Yield the part of one value; none if it is empty."""
    if isinstance(part, str):
        yield Text(part), replace_at(*path)
        return
    fields = as_mapping(part)
    text = fields.get("text")
    if isinstance(text, str):
        if text:
            yield (Reasoning(text), None) if fields.get("thought") else (Text(text), replace_at(*path, "text"))
        return
    for name, read in _PART_READERS.items():
        value = get_field(part, name)
        if value is not None:
            yield read(value), _response_writer(name, part, path)
            return
    uri = fields.get("uri")
    if isinstance(uri, str):  # an uploaded file
        yield media_part(part, uri), None
    else:
        yield from _read_unnamed_part(part, {name for name, value in fields.items() if value is not None})


def _read_unnamed_part(part: Any, names: set[str]) -> Iterator[EditablePart]:
    if hasattr(part, "get_format_mimetype") or hasattr(part, "tobytes"):
        yield Media("image"), None  # an image object in memory
    elif unfamiliar := sorted(names.difference(_BOOKKEEPING_FIELDS)):
        yield unknown_part(unfamiliar[0]), None
    elif not names:
        count_not_understood()


def _response_writer(name: str, part: Any, path: JsonPath) -> Any:
    """Return the function that replaces the text of a tool response, or None for other parts."""
    if name not in ("function_response", "code_execution_result"):
        return None
    key = name if name in as_mapping(part) else "".join(w.title() if i else w for i, w in enumerate(name.split("_")))
    if name == "code_execution_result":
        return replace_at(*path, key, "output")
    replace: Any = replace_at(*path, key, "response")
    return lambda body, text: replace(body, {"output": text})


def media_part(part: Any, uri: Any = None) -> Media:
    """Return a medium by reference."""
    mime_type = as_str(get_field(part, "mime_type"))
    modality = (mime_type or "").partition("/")[0]
    return Media(modality if modality in _MEDIA else "file", as_str(uri), mime_type)


def _tool_call(call: Any) -> ToolCall:
    name = as_str(get_field(call, "name")) or as_str(
        getattr(get_field(call, "tool_type"), "value", get_field(call, "tool_type"))
    )
    return ToolCall(name or "", to_plain_data(get_field(call, "args")), as_str(get_field(call, "id")))


def _tool_response(answer: Any) -> ToolCallResponse:
    return ToolCallResponse(to_plain_data(get_field(answer, "response")), as_str(get_field(answer, "id")))


def _code_execution(code: Any) -> ToolCall:
    return ToolCall("code_execution", {"code": get_field(code, "code")}, as_str(get_field(code, "id")))


_PART_READERS: dict[str, Any] = {
    "function_call": _tool_call,
    "function_response": _tool_response,
    "inline_data": media_part,
    "file_data": lambda data: media_part(data, get_field(data, "file_uri")),
    "executable_code": _code_execution,  # the service runs this code
    "code_execution_result": lambda result: ToolCallResponse(
        get_field(result, "output"), as_str(get_field(result, "id"))
    ),
    "tool_call": _tool_call,
    "tool_response": _tool_response,
}


def all_parts(turns: list[Turn]) -> tuple[Part, ...]:
    """Return the parts of all turns."""
    return tuple([part for turn in turns for part, _ in turn.parts])
