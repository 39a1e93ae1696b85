"""Messages in the shape of Anthropic's API, as dicts or as a client's objects, both ways.

Requests and answers share it, and so do other services that carry it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.fields import (
    Fields,
    Put,
    changed,
    fields,
    listed,
    not_understood,
    put_texts,
    unknown,
    word,
)

Place = tuple[Part, Put | None]

_MEDIA = {"image": "image", "document": "file", "container_upload": "file"}
_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
_OPAQUE = ("redacted_thinking", "compaction", "fallback", "mcp_tool_listing")
"""The service's own book-keeping, to be sent back as it came."""


def message_of(message: Any, finish_reason: str | None = None) -> Message:
    """One message."""
    said = fields(message)
    return Message(word(said.get("role")) or "assistant", parts_of(said.get("content")), None, finish_reason)


def parts_of(content: Any) -> tuple[Part, ...]:
    """What stands in a message, or in the system's instructions: a text, or a list of blocks."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if content is None:
        not_understood()
    return tuple([part for block in listed(content) for part, _ in _places(fields(block))])


def edited_messages(messages: Iterable[Any], edits: Edits) -> list[Any]:
    """``messages`` with the texts that ``edits`` has for the input."""
    return [_edited_message(message, f"/input/{i}/parts/", edits) for i, message in enumerate(messages)]


def _edited_message(message: Any, prefix: str, edits: Edits) -> Any:
    before = fields(message).get("content")
    after = with_texts(before, prefix, edits)
    return message if after is before else changed(message, content=after)


def with_texts(content: Any, prefix: str, edits: Edits) -> Any:
    """``content`` with the texts that ``edits`` has for its parts, whose pointers start with ``prefix``."""
    if isinstance(content, str):
        return edits.get(f"{prefix}0", content)
    before, after = list(listed(content)), []
    at = 0
    for block in before:
        count = sum(1 for _ in _places(fields(block)))
        after.append(put_texts(block, _places, [edits.get(f"{prefix}{at + number}") for number in range(count)]))
        at += count
    return after if any(new is not old for new, old in zip(after, before, strict=True)) else content


def _places(block: Fields) -> Iterator[Place]:
    """The parts in one content block, each with how to put another text in its place."""
    kind = str(block.get("type"))
    if kind == "text":
        yield Text(_text(block.get("text"))), _put_text
    elif kind == "thinking":
        yield Reasoning(_text(block.get("thinking"))), None  # it is signed
    elif kind in _CALLS:
        yield ToolCall(_text(block.get("name")), block.get("input"), block.get("id")), None
    elif kind.endswith("tool_result"):
        yield from _result(kind, block)
    elif kind in _MEDIA:
        yield _media(kind, block)
    elif kind == "search_result":
        yield from _quoted(block, None)
    else:
        yield (Unknown(kind) if kind in _OPAQUE else unknown(kind)), None


def _text(value: Any) -> str:
    """What a block says; nothing where it should and does not."""
    if value is None:
        not_understood()
    return word(value) or ""


def _media(kind: str, block: Fields) -> Place:
    """An image or a document, by reference; one that is plain text is what it says."""
    source = fields(block.get("source"))
    if source.get("type") == "text":
        return Text(_text(source.get("data"))), _put_source
    uri = source.get("url") or source.get("file_id") or block.get("file_id")
    return Media(_MEDIA[kind], uri, source.get("media_type")), None


def _result(kind: str, block: Fields) -> Iterator[Place]:
    """What a tool answered: a text, or blocks of which each is a part."""
    call_id, content = block.get("tool_use_id"), block.get("content")
    if isinstance(content, str):
        yield ToolCallResponse(content, call_id), _put_content
    elif kind in ("tool_result", "mcp_tool_result") and isinstance(content, (list, tuple)):
        yield from _quoted(block, call_id)
    else:
        yield ToolCallResponse(plain(content), call_id), _put_instead


def _quoted(block: Fields, call_id: str | None) -> Iterator[Place]:
    """Blocks inside a block: their texts are a tool's."""
    for index, inner in enumerate(listed(block.get("content"))):
        said = fields(inner)
        kind = str(said.get("type"))
        if kind == "text":
            yield ToolCallResponse(_text(said.get("text")), call_id), partial(_put_inner, index, _put_text)
        elif kind in _MEDIA:
            part, put = _media(kind, said)
            yield part, put and partial(_put_inner, index, put)
        else:
            yield ToolCallResponse(plain(inner), call_id), partial(_put_inner, index, _put_instead)


_BYTES = ("data", "encrypted_content", "encrypted_index", "encrypted_stdout")


def plain(value: Any) -> Any:
    """Dicts and lists in place of a client's objects, without what is no text."""
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, Mapping) or hasattr(value, "model_fields_set"):
        said = fields(value).items()
        return {name: plain(each) for name, each in said if each is not None and name not in _BYTES}
    return value


def _put_text(block: Any, new: str) -> Any:
    # what is cited, and what a client parsed, is the text as it was
    made_of_it = (name for name in ("citations", "parsed_output") if fields(block).get(name) is not None)
    return changed(block, text=new, **dict.fromkeys(made_of_it))


def _put_instead(block: Any, new: str) -> Any:
    """For a block that has no one text: the service may refuse it, which is better than to be told."""
    return {"type": "text", "text": new}


def _put_content(block: Any, new: str) -> Any:
    return changed(block, content=new)


def _put_source(block: Any, new: str) -> Any:
    return changed(block, source=changed(fields(block)["source"], data=new))


def _put_inner(index: int, put: Put, block: Any, new: str) -> Any:
    content = list(fields(block)["content"])
    content[index] = put(content[index], new)
    return changed(block, content=content)
