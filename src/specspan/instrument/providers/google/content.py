"""Contents in the shape of Gemini's API, as texts, dicts or the client's objects.

Requests and responses have this shape. Applications may write field names in either case: ``function_call``,
``functionCall``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from typing import Any

from specspan.call import Media, Part, Reasoning, Text, ToolCall, ToolCallResponse
from specspan.instrument.formats.bodies import EditablePart, JsonPath, Turn, replace_at, replace_value
from specspan.instrument.formats.fields import (
    as_list,
    as_mapping,
    as_str,
    count_not_understood,
    read_text,
    text_part,
    texts_in,
    to_plain_data,
    unknown_part,
)

ROLES = {"model": "assistant", "function": "tool"}
SOURCE_FIELDS = ("grounding_metadata", "citation_metadata")
"""Fields of a candidate that quote or name the sources of its content."""
_MEDIA = ("image", "audio", "video")
_BOOKKEEPING_FIELDS = ("thought", "thought_signature", "thoughtSignature", "video_metadata", "videoMetadata")


def get_field(thing: Any, name: str) -> Any:
    """Return a field of a dict or an object, by its name in snake case or camel case."""
    fields = as_mapping(thing)
    value = fields.get(name)
    if value is None and fields and name not in fields:
        return fields.get(_camel_case(name))
    return value


@lru_cache(maxsize=256)
def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.title() for each in rest)


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


def parts_beside(candidate: Any, *path: str | int) -> Iterator[EditablePart]:
    """Yield the sources of one candidate, which stand beside its content."""
    for name in SOURCE_FIELDS:
        sources = get_field(candidate, name)
        if sources is not None and (text := "\n".join(texts_in(to_plain_data(sources)))):
            yield ToolCallResponse(text), partial(_replace_sources, name, path)


def _replace_sources(name: str, path: JsonPath, body: Any, text: str) -> Any:
    from google.genai import types

    sources: Any = (
        types.CitationMetadata(citations=[types.Citation(title=text)])
        if name == "citation_metadata"
        else types.GroundingMetadata(grounding_chunks=[types.GroundingChunk(web=types.GroundingChunkWeb(title=text))])
    )
    return replace_value(body, (*path, name), sources)


def join_texts(places: Iterable[EditablePart]) -> Iterator[EditablePart]:
    """Yield the parts with consecutive texts joined, and so thoughts, because readers of an answer see one text."""
    pending: EditablePart | None = None
    for place in places:
        joined = None if pending is None else _join(pending, place)
        if pending is not None and joined is None:
            yield pending
        pending = joined or place
    if pending is not None:
        yield pending


def _join(first: EditablePart, second: EditablePart) -> EditablePart | None:
    """Return two parts as one, or None if they are not both texts or both thoughts."""
    part, more = first[0], second[0]
    if isinstance(part, Text) and isinstance(more, Text):
        return Text(part.content + more.content), _replace_both(first[1], second[1])
    if isinstance(part, Reasoning) and isinstance(more, Reasoning):
        return Reasoning(part.content + more.content), None
    return None


def _replace_both(first: Any, second: Any) -> Any:
    return lambda body, text: second(first(body, text), "")


def _read_part(part: Any, path: JsonPath) -> Iterator[EditablePart]:
    """Yield the part of one value; none if it is empty."""
    if isinstance(part, str):
        yield Text(part), replace_at(*path)
        return
    fields = as_mapping(part)
    text = fields.get("text")
    if text is not None and not isinstance(text, str):
        yield text_part(text, "text"), replace_at(*path, "text")
    elif text:
        yield (Reasoning(text), None) if fields.get("thought") else (Text(text), replace_at(*path, "text"))
    has_data = False
    for name, read in _PART_READERS.items():
        value = get_field(part, name)
        if value is not None:
            has_data = True
            yield read(value), _response_writer(name, part, path)
            yield from _data_texts(name, part, value, path)
    if text is not None or has_data:
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


def _data_texts(name: str, part: Any, data: Any, path: JsonPath) -> Iterator[EditablePart]:
    """Yield the name of a file, and the text in the bytes of a text file."""
    if name not in ("inline_data", "file_data"):
        return
    key = _field_name(part, name)
    if title := read_text(get_field(data, "display_name")):
        yield ToolCallResponse(title), replace_at(*path, key, _field_name(data, "display_name"))
    if name == "inline_data" and str(get_field(data, "mime_type")).startswith("text/"):
        content = get_field(data, "data")
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else read_text(content)
        if text:
            yield ToolCallResponse(text), partial(_replace_data, (*path, key, "data"), content.__class__)


def _replace_data(path: JsonPath, kind: type, body: Any, text: str) -> Any:
    return replace_value(body, path, text.encode() if kind is bytes else text)


def _field_name(thing: Any, name: str) -> str:
    """Return the name under which a value has a field: in snake case or in camel case."""
    if name in as_mapping(thing):
        return name
    return _camel_case(name)


def _response_writer(name: str, part: Any, path: JsonPath) -> Any:
    """Return the function that replaces the text of a tool response, or None for other parts."""
    if name not in ("function_response", "code_execution_result"):
        return None
    key = _field_name(part, name)
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
    return ToolCall(name or "", to_plain_data(_arguments(call)), as_str(get_field(call, "id")))


def _arguments(call: Any) -> Any:
    """Return the arguments of a call, which may come in pieces."""
    pieces = get_field(call, "partial_args")
    return fold_arguments(get_field(call, "args"), pieces) if pieces else get_field(call, "args")


def fold_arguments(arguments: Any, pieces: Any) -> Any:
    """Return arguments with the values that pieces add at their paths, such as ``$.query`` or ``$.items[0].name``."""
    folded: Any = {"$": dict(as_mapping(arguments))}
    for piece in as_list(pieces):
        keys = ["$", *_PATH_KEYS.findall((read_text(get_field(piece, "json_path")) or "").removeprefix("$"))]
        _add_value(folded, keys, _piece_value(piece))
    return folded["$"]


_PATH_KEYS = re.compile(r"[^.\[\]'\"]+")


def _piece_value(piece: Any) -> Any:
    values = (get_field(piece, f"{kind}_value") for kind in ("string", "number", "bool"))
    return next((value for value in values if value is not None), None)


def _add_value(holder: dict[str, Any], keys: list[str], value: Any) -> None:
    """Put a value at the end of some keys; a text goes on where there is one already."""
    *outer, last = keys
    for key in outer:
        inner = holder.get(key)
        holder[key] = inner if isinstance(inner, dict) else {}
        holder = holder[key]
    before = holder.get(last)
    holder[last] = before + value if isinstance(before, str) and isinstance(value, str) else value


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
