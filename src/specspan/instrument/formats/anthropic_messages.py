"""Messages in the shape of Anthropic's API, as dicts or as a client's objects.

Requests and responses have this shape, and other services carry it as well. Parts that stand beside the content, such
as citations and titles of documents, follow the parts of all blocks: an answer reads on across its citations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.fields import (
    Fields,
    ReplaceText,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
    count_not_understood,
    read_name,
    read_text,
    replace_part,
    text_part,
    to_plain_data,
    unknown_part,
)

EditablePart = tuple[Part, ReplaceText | None]

_MODALITIES = {"image": "image", "document": "file", "container_upload": "file"}
_TOOL_CALL_TYPES = ("tool_use", "server_tool_use", "mcp_tool_use")
_WRITTEN_TYPES = ("text", "compaction", None)
"""Types of blocks with the model's own words."""
_SOURCE_FIELDS = ("title", "document_title", "cited_text")
"""Fields of a citation that quote a source or name it."""


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
        return ()
    blocks = _as_blocks(content)
    parts = [part for block in blocks for part, _ in _block_parts(block)]
    return (*parts, *[part for block in blocks for part, _ in _parts_beside(block)])


def _as_blocks(content: Any) -> list[Any]:
    """Return the blocks of a content value, which may be a single block."""
    if isinstance(content, Iterable) and not (isinstance(content, (bytes, Mapping)) or hasattr(content, "model_dump")):
        return list(content)
    count_not_understood()
    return [content]


def edit_messages(messages: Iterable[Any], edits: Edits) -> list[Any]:
    """Return the messages with the texts that ``edits`` has for the input."""
    return [_edit_message(message, f"/input/{i}/parts/", edits) for i, message in enumerate(messages)]


def _edit_message(message: Any, prefix: str, edits: Edits) -> Any:
    before = as_mapping(message).get("content")
    after = edit_content(before, prefix, edits)
    return message if after is before else copy_with(message, content=after)


def edit_content(content: Any, prefix: str, edits: Edits) -> Any:
    """Return ``content`` with the texts that ``edits`` has for pointers starting with ``prefix``."""
    if content is None or isinstance(content, str):
        return edits.get(f"{prefix}0", content)
    before = _as_blocks(content)
    after = list(before)
    number = 0
    for places in (_block_parts, _parts_beside):
        for i, block in enumerate(before):
            for _, replace in places(block):
                after[i] = replace_part(after[i], replace, edits.get(f"{prefix}{number}"))
                number += 1
    if all(new is old for new, old in zip(after, before, strict=True)):
        return content
    return after[0] if isinstance(content, Mapping) else after


def texts_beside(block: Any) -> Iterator[Any]:
    """Yield what an answer hands over in a block besides the model's own words: sources and results of tools."""
    is_written = isinstance(block, str) or as_mapping(block).get("type") in _WRITTEN_TYPES
    for part, _ in (*_block_parts(block), *_parts_beside(block)):
        if isinstance(part, ToolCallResponse):
            yield part.response
        elif isinstance(part, Text) and not is_written:
            yield part.content


def _block_parts(block: Any) -> Iterator[EditablePart]:
    """Yield the parts of one content block."""
    if isinstance(block, str):
        yield Text(block), _replace_whole
    elif isinstance(block, (list, tuple)) or block is None:
        yield unknown_part("content"), None
    else:
        yield from _parts_of_kind(as_mapping(block))


def _parts_of_kind(block: Fields) -> Iterator[EditablePart]:
    """Yield the parts of a block by its type; a block without one that has a text is a text."""
    kind, text = block.get("type"), read_text(block.get("text"))
    if not isinstance(kind, str):
        kind = "content" if text is None else "text"
    if read := _BLOCK_READERS.get(kind):
        yield from read(block)
    elif kind.endswith("tool_result"):
        yield from _tool_result_parts(kind, block)
    else:
        if text is not None:
            yield Text(text), _replace_text
        yield unknown_part(kind), None


def _text_parts(block: Fields) -> Iterator[EditablePart]:
    yield text_part(block.get("text"), "text"), _replace_text


def _thinking_parts(block: Fields) -> Iterator[EditablePart]:
    yield text_part(block.get("thinking"), "thinking", Reasoning), None  # the service signs thinking


def _redacted_thinking_parts(block: Fields) -> Iterator[EditablePart]:
    yield Reasoning("", is_encrypted=True), None


def _tool_call_parts(block: Fields) -> Iterator[EditablePart]:
    yield ToolCall(read_name(block.get("name")), block.get("input"), as_str(block.get("id"))), None


def _compaction_parts(block: Fields) -> Iterator[EditablePart]:
    """Yield the summary of a conversation, if the service could write one."""
    if block.get("content"):
        yield text_part(block.get("content"), "compaction"), _replace_content


def _tool_listing_parts(block: Fields) -> Iterator[EditablePart]:
    yield ToolCallResponse(to_plain_data(block.get("tools"))), _replace_block


def _media_parts(kind: str, block: Fields) -> Iterator[EditablePart]:
    yield _media_part(kind, block)


def _search_result_parts(block: Fields) -> Iterator[EditablePart]:
    yield from _inner_parts(block, None)


def _no_parts(block: Fields) -> Iterator[EditablePart]:
    """Yield nothing for a block without text."""
    yield from ()


_BLOCK_READERS: Mapping[str, Callable[[Fields], Iterator[EditablePart]]] = {
    "text": _text_parts,
    "thinking": _thinking_parts,
    "redacted_thinking": _redacted_thinking_parts,
    **dict.fromkeys(_TOOL_CALL_TYPES, _tool_call_parts),
    "compaction": _compaction_parts,
    "mcp_tool_listing": _tool_listing_parts,
    "search_result": _search_result_parts,
    "fallback": _no_parts,
    **{kind: partial(_media_parts, kind) for kind in _MODALITIES},
}


def _parts_beside(block: Any) -> Iterator[EditablePart]:
    """Yield the title of one content block, and what its citations quote."""
    if isinstance(block, (str, list, tuple)) or block is None:
        return
    fields = as_mapping(block)
    if fields.get("type") in ("document", "search_result") and (title := read_text(fields.get("title"))):
        yield ToolCallResponse(title), partial(_replace_field, "title")
    citations = fields.get("citations")
    if isinstance(citations, (list, tuple)):  # in a request, settings may have this name
        for i, citation in enumerate(citations):
            if text := _cited_text(citation):
                yield ToolCallResponse(text), partial(_replace_citation, i)


def _cited_text(citation: Any) -> str:
    fields = as_mapping(citation)
    return "\n".join(text for name in _SOURCE_FIELDS if (text := read_text(fields.get(name))))


def _media_part(kind: str, block: Fields) -> EditablePart:
    """Return an image or a document by reference, or the text of a document that is plain text."""
    source = as_mapping(block.get("source"))
    if source.get("type") == "text":
        return text_part(source.get("data"), kind), _replace_source
    uri = source.get("url") or source.get("file_id") or block.get("file_id")
    return Media(_MODALITIES[kind], as_str(uri), as_str(source.get("media_type"))), None


def _tool_result_parts(kind: str, block: Fields) -> Iterator[EditablePart]:
    """Yield the parts of a tool result: its text, or one part for each of its blocks."""
    call_id, content = as_str(block.get("tool_use_id")), block.get("content")
    if isinstance(content, str):
        yield ToolCallResponse(content, call_id), _replace_content
    elif kind in ("tool_result", "mcp_tool_result") and isinstance(content, (list, tuple)):
        yield from _inner_parts(block, call_id)
    else:
        yield ToolCallResponse(to_plain_data(content), call_id), _replace_block


def _inner_parts(block: Fields, call_id: str | None) -> Iterator[EditablePart]:
    """Yield the parts of blocks inside a block; their texts are tool responses."""
    for index, inner in enumerate(as_list(block.get("content"))):
        if isinstance(inner, (str, list, tuple)) or inner is None:
            yield ToolCallResponse(to_plain_data(inner), call_id), partial(_replace_inner, index, _replace_block)
            continue
        fields = as_mapping(inner)
        kind = str(fields.get("type"))
        if kind == "text":
            yield (
                text_part(fields.get("text"), kind, partial(_as_response, call_id)),
                partial(_replace_inner, index, _replace_text),
            )
        elif kind in _MODALITIES:
            part, replace = _media_part(kind, fields)
            yield part, replace and partial(_replace_inner, index, replace)
        else:
            yield ToolCallResponse(to_plain_data(inner), call_id), partial(_replace_inner, index, _replace_block)


def _as_response(call_id: str | None, text: str) -> Part:
    return ToolCallResponse(text, call_id)


def _replace_whole(block: Any, new: str) -> Any:
    return new


def _replace_field(name: str, block: Any, new: str) -> Any:
    return copy_with(block, **{name: new})


def _replace_text(block: Any, new: str) -> Any:
    # citations and parsed output belong to the unedited text
    made_of_it = (name for name in ("citations", "parsed_output") if as_mapping(block).get(name) is not None)
    return copy_with(block, text=new, **dict.fromkeys(made_of_it))


def _replace_citation(index: int, block: Any, new: str) -> Any:
    citations = list(as_mapping(block).get("citations") or ())
    if not citations:  # they went with the text that they stand beside
        return block
    citations[index] = copy_with(
        citations[index], cited_text=new, **cleared(citations[index], "title", "document_title")
    )
    return copy_with(block, citations=citations)


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
