"""Messages in the shape of Anthropic's API, as dicts or as a client's objects.

Requests and responses have this shape, and other services carry it as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.fields import (
    Fields,
    ReplaceText,
    as_list,
    as_mapping,
    as_str,
    copy_with,
    count_not_understood,
    replace_texts,
    to_plain_data,
    unknown_part,
)

EditablePart = tuple[Part, ReplaceText | None]

_MODALITIES = {"image": "image", "document": "file", "container_upload": "file"}
_TOOL_CALL_TYPES = ("tool_use", "server_tool_use", "mcp_tool_use")
_BOOKKEEPING_TYPES = ("redacted_thinking", "compaction", "fallback", "mcp_tool_listing")
"""Block types without content, which the application sends back unchanged."""


def read_message(message: Any, finish_reason: str | None = None) -> Message:
    """Return the message in a dict or a client's object."""
    fields = as_mapping(message)
    return Message(as_str(fields.get("role")) or "assistant", read_parts(fields.get("content")), None, finish_reason)


def read_parts(content: Any) -> tuple[Part, ...]:
    """Read the content of a message or the system instructions: a text, or a list of blocks."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    if content is None:
        count_not_understood()
    return tuple([part for block in as_list(content) for part, _ in _block_parts(as_mapping(block))])


def edit_messages(messages: Iterable[Any], edits: Edits) -> list[Any]:
    """Return the messages with the texts that ``edits`` has for the input."""
    return [_edit_message(message, f"/input/{i}/parts/", edits) for i, message in enumerate(messages)]


def _edit_message(message: Any, prefix: str, edits: Edits) -> Any:
    before = as_mapping(message).get("content")
    after = edit_content(before, prefix, edits)
    return message if after is before else copy_with(message, content=after)


def edit_content(content: Any, prefix: str, edits: Edits) -> Any:
    """Return ``content`` with the texts that ``edits`` has for pointers starting with ``prefix``."""
    if isinstance(content, str):
        return edits.get(f"{prefix}0", content)
    before, after = list(as_list(content)), []
    at = 0
    for block in before:
        count = sum(1 for _ in _block_parts(as_mapping(block)))
        after.append(
            replace_texts(block, _block_parts, [edits.get(f"{prefix}{at + number}") for number in range(count)])
        )
        at += count
    return after if any(new is not old for new, old in zip(after, before, strict=True)) else content


def _block_parts(block: Fields) -> Iterator[EditablePart]:
    """Yield the parts of one content block."""
    kind = str(block.get("type"))
    if kind == "text":
        yield Text(_required_str(block.get("text"))), _replace_text
    elif kind == "thinking":
        yield Reasoning(_required_str(block.get("thinking"))), None  # the service signs thinking
    elif kind in _TOOL_CALL_TYPES:
        yield ToolCall(_required_str(block.get("name")), block.get("input"), block.get("id")), None
    elif kind.endswith("tool_result"):
        yield from _tool_result_parts(kind, block)
    elif kind in _MODALITIES:
        yield _media_part(kind, block)
    elif kind == "search_result":
        yield from _inner_parts(block, None)
    else:
        yield (Unknown(kind) if kind in _BOOKKEEPING_TYPES else unknown_part(kind)), None


def _required_str(value: Any) -> str:
    """Return a text, and count it where it is missing."""
    if value is None:
        count_not_understood()
    return as_str(value) or ""


def _media_part(kind: str, block: Fields) -> EditablePart:
    """Return an image or a document by reference, or the text of a document that is plain text."""
    source = as_mapping(block.get("source"))
    if source.get("type") == "text":
        return Text(_required_str(source.get("data"))), _replace_source
    uri = source.get("url") or source.get("file_id") or block.get("file_id")
    return Media(_MODALITIES[kind], uri, source.get("media_type")), None


def _tool_result_parts(kind: str, block: Fields) -> Iterator[EditablePart]:
    """Yield the parts of a tool result: its text, or one part for each of its blocks."""
    call_id, content = block.get("tool_use_id"), block.get("content")
    if isinstance(content, str):
        yield ToolCallResponse(content, call_id), _replace_content
    elif kind in ("tool_result", "mcp_tool_result") and isinstance(content, (list, tuple)):
        yield from _inner_parts(block, call_id)
    else:
        yield ToolCallResponse(to_plain_data(content), call_id), _replace_block


def _inner_parts(block: Fields, call_id: str | None) -> Iterator[EditablePart]:
    """Yield the parts of blocks inside a block; their texts are tool responses."""
    for index, inner in enumerate(as_list(block.get("content"))):
        fields = as_mapping(inner)
        kind = str(fields.get("type"))
        if kind == "text":
            yield (
                ToolCallResponse(_required_str(fields.get("text")), call_id),
                partial(_replace_inner, index, _replace_text),
            )
        elif kind in _MODALITIES:
            part, replace = _media_part(kind, fields)
            yield part, replace and partial(_replace_inner, index, replace)
        else:
            yield ToolCallResponse(to_plain_data(inner), call_id), partial(_replace_inner, index, _replace_block)


def _replace_text(block: Any, new: str) -> Any:
    # citations and parsed output belong to the unedited text
    made_of_it = (name for name in ("citations", "parsed_output") if as_mapping(block).get(name) is not None)
    return copy_with(block, text=new, **dict.fromkeys(made_of_it))


def _replace_block(block: Any, new: str) -> Any:
    """Return a text block in place of a block without a single text.

    The service may refuse such a request, which is safer than sending the original text.
    """
    return {"type": "text", "text": new}


def _replace_content(block: Any, new: str) -> Any:
    return copy_with(block, content=new)


def _replace_source(block: Any, new: str) -> Any:
    return copy_with(block, source=copy_with(as_mapping(block)["source"], data=new))


def _replace_inner(index: int, replace: ReplaceText, block: Any, new: str) -> Any:
    content = list(as_mapping(block)["content"])
    content[index] = replace(content[index], new)
    return copy_with(block, content=content)
