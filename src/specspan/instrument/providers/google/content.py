"""Contents in the shape of Gemini's API, as texts, dicts or the client's objects, both ways.

Requests and answers share it. Applications write the names of fields either way: ``function_call``, ``functionCall``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from specspan.call import Media, Part, Reasoning, Text, ToolCall, ToolCallResponse
from specspan.instrument.formats.anthropic_messages import plain
from specspan.instrument.formats.bodies import Path, Place, Turn, put_at
from specspan.instrument.formats.fields import fields, listed, not_understood, unknown, word

ROLES = {"model": "assistant", "function": "tool"}
_MEDIA = ("image", "audio", "video")
_BOOKKEEPING = ("thought", "thought_signature", "thoughtSignature", "video_metadata", "videoMetadata")


def get(thing: Any, name: str) -> Any:
    """A field of a dict or object, by its name in either case."""
    found = fields(thing)
    value = found.get(name)
    if value is None and "_" in name:
        first, *rest = name.split("_")
        value = found.get(first + "".join(each.title() for each in rest))
    return value


def turns_of(contents: Any, *path: str | int) -> list[Turn]:
    """What is asked, in whatever way it is written; ``path`` leads to it. Parts that follow each other are one turn."""
    if not isinstance(contents, (list, tuple)):
        return list(_turns([(contents, path)]))
    items: list[tuple[Any, Path]] = []
    for index, each in enumerate(contents):
        here = (*path, index)
        nested = isinstance(each, (list, tuple))
        items.extend([(inner, (*here, at)) for at, inner in enumerate(each)] if nested else [(each, here)])
    return list(_turns(items))


def _turns(items: list[tuple[Any, Path]]) -> Iterator[Turn]:
    loose: list[Place] = []
    for item, path in items:
        if not isinstance(item, str) and (get(item, "parts") is not None or get(item, "role") is not None):
            if loose:
                yield Turn("user", tuple(loose))
                loose = []
            yield turn_of(item, *path)
        else:
            loose.extend(_places(item, path))
    if loose:
        yield Turn("user", tuple(loose))


def turn_of(content: Any, *path: str | int) -> Turn:
    """One content, to which ``path`` leads."""
    role = word(get(content, "role")) or "user"
    return Turn(ROLES.get(role, role), tuple(places_of(content, *path)))


def places_of(content: Any, *path: str | int) -> list[Place]:
    """The parts of one content, each with how to put another text in its place."""
    parts = get(content, "parts")
    if isinstance(parts, str):
        return [(Text(parts), put_at(*path, "parts"))]
    return [place for at, part in enumerate(listed(parts)) for place in _places(part, (*path, "parts", at))]


def joined(places: Iterable[Place]) -> Iterator[Place]:
    """The same with texts that follow each other as one, which they are to who reads an answer's text."""
    held: Place | None = None
    for place in places:
        if held is not None and isinstance(held[0], Text) and isinstance(place[0], Text):
            held = Text(held[0].content + place[0].content), _put_both(held[1], place[1])
            continue
        if held is not None:
            yield held
        held = place
    if held is not None:
        yield held


def _put_both(first: Any, second: Any) -> Any:
    return lambda body, text: second(first(body, text), "")


def _places(part: Any, path: Path) -> Iterator[Place]:
    """What one part says; nothing where it says nothing."""
    if isinstance(part, str):
        yield Text(part), put_at(*path)
        return
    said = fields(part)
    text = said.get("text")
    if isinstance(text, str):
        if text:
            yield (Reasoning(text), None) if said.get("thought") else (Text(text), put_at(*path, "text"))
        return
    for name, read in _KINDS.items():
        found = get(part, name)
        if found is not None:
            yield read(found), _put_into(name, part, path)
            return
    uri = said.get("uri")
    if isinstance(uri, str):  # a file that was uploaded
        yield media(part, uri), None
    else:
        yield from _what_is_left(part, {name for name, value in said.items() if value is not None})


def _what_is_left(part: Any, names: set[str]) -> Iterator[Place]:
    if hasattr(part, "get_format_mimetype") or hasattr(part, "tobytes"):
        yield Media("image"), None  # a picture in memory
    elif unfamiliar := sorted(names.difference(_BOOKKEEPING)):
        yield unknown(unfamiliar[0]), None
    elif not names:
        not_understood()


def _put_into(name: str, part: Any, path: Path) -> Any:
    """How to put a text where a tool's answer stands; None for what is no answer."""
    if name not in ("function_response", "code_execution_result"):
        return None
    key = name if name in fields(part) else "".join(w.title() if i else w for i, w in enumerate(name.split("_")))
    if name == "code_execution_result":
        return put_at(*path, key, "output")
    put: Any = put_at(*path, key, "response")
    return lambda body, text: put(body, {"output": text})


def media(part: Any, uri: Any = None) -> Media:
    """Something that is no text, by reference."""
    mime_type = word(get(part, "mime_type"))
    modality = (mime_type or "").partition("/")[0]
    return Media(modality if modality in _MEDIA else "file", word(uri), mime_type)


def _call(call: Any) -> ToolCall:
    name = word(get(call, "name")) or word(getattr(get(call, "tool_type"), "value", get(call, "tool_type")))
    return ToolCall(name or "", plain(get(call, "args")), word(get(call, "id")))


def _answer(answer: Any) -> ToolCallResponse:
    return ToolCallResponse(plain(get(answer, "response")), word(get(answer, "id")))


def _code(code: Any) -> ToolCall:
    return ToolCall("code_execution", {"code": get(code, "code")}, word(get(code, "id")))


_KINDS: dict[str, Any] = {
    "function_call": _call,
    "function_response": _answer,
    "inline_data": media,
    "file_data": lambda data: media(data, get(data, "file_uri")),
    "executable_code": _code,  # the service runs it itself
    "code_execution_result": lambda result: ToolCallResponse(get(result, "output"), word(get(result, "id"))),
    "tool_call": _call,
    "tool_response": _answer,
}


def parts_of(turns: list[Turn]) -> tuple[Part, ...]:
    """All parts of them."""
    return tuple([part for turn in turns for part, _ in turn.places])
