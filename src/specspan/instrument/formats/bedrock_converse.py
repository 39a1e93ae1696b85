"""Messages of Amazon Bedrock's Converse API.

Requests to Amazon's Nova models through InvokeModel have the same shape. Parts that stand beside the content, such as
citations and names of documents, follow the parts of all blocks: an answer reads on across its citations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from specspan.call import Media, Reasoning, Response, Text, ToolCall, ToolCallResponse, Usage
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import (
    EditablePart,
    JsonPath,
    Turn,
    edit_parts,
    edit_turns,
    replace_at,
    replace_block_at,
    replace_value,
)
from specspan.instrument.formats.fields import (
    Fields,
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    count_not_understood,
    read_name,
    read_text,
    text_part,
    texts_in,
    unknown_part,
)

_MODALITIES = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
_BLOCKS_WITHOUT_CONTENT = ("cachePoint", "toolAddition", "toolRemoval")


def input_turns(body: Fields) -> list[Turn]:
    """Return the messages of a request."""
    return [_read_turn(message, ("messages", i)) for i, message in enumerate(as_list(body.get("messages")))]


def system_parts(body: Fields) -> list[EditablePart]:
    """Return the system instructions of a request."""
    return _all_parts(body.get("system"), ("system",))


def tool_definitions(body: Fields) -> tuple[Any, ...]:
    """Return the tool definitions of a request."""
    return tuple(as_list(as_mapping(body.get("toolConfig")).get("tools")))


def edit_request(body: Any, edits: Edits) -> Any:
    """Return a copy of a request body with edited texts."""
    edited = edit_turns(body, input_turns(body), "input", edits)
    return edit_parts(edited, system_parts(body), "/system_instructions/", edits)


def read_response(body: Fields) -> Response:
    """Read a response body."""
    reason = as_finish_reason(body.get("stopReason"))
    return Response(
        model=as_str(as_mapping(as_mapping(body.get("trace")).get("promptRouter")).get("invokedModelId")),
        output=tuple([turn.to_message(reason) for turn in _output_turns(body)]),
        finish_reasons=(reason,) if reason else (),
        usage=_read_usage(as_mapping(body.get("usage"))),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """Return a copy of a response body with edited texts."""
    return edit_turns(body, _output_turns(body), "output", edits)


_FIELDS_OF_THE_MODEL = "additionalModelResponseFields"


def _output_turns(body: Fields) -> list[Turn]:
    output = body.get("output")
    if output is None or isinstance(output, Mapping):
        turn = _read_turn(as_mapping(output).get("message"), ("output", "message"))
    else:
        if not output and not isinstance(output, str):  # an empty list, in which nothing is to be read
            count_not_understood()
        turn = _read_turn(output, ("output",))
    more: list[EditablePart] = []
    if fields := body.get(_FIELDS_OF_THE_MODEL):
        more.append((ToolCallResponse(fields), replace_block_at(_FIELDS_OF_THE_MODEL)))
    if traced := guardrail_text(body):
        more.append((ToolCallResponse(traced), replace_guardrail))
    return [Turn(turn.role, (*turn.parts, *more)) if more else turn]


def guardrail_text(body: Fields) -> str:
    """Return what the service's own guardrail tells of the answer: what the model wrote, and what was found in it.

    What it found in the request is the application's own text.
    """
    traced = as_mapping(as_mapping(body.get("trace")).get("guardrail"))
    return "\n".join(texts_in([value for name, value in traced.items() if name != "inputAssessment"]))


def replace_guardrail(body: Any, text: str) -> Any:
    """Return a copy of a body, or of the fields of its event, with a text in place of what the guardrail tells."""
    return replace_value(body, ("trace", "guardrail"), {"modelOutput": [text]})


def _read_turn(message: Any, at: JsonPath) -> Turn:
    if not isinstance(message, Mapping):
        return Turn("assistant", tuple(_content_parts(message, at)))
    role = as_str(message.get("role")) or "assistant"
    return Turn(role, tuple(_all_parts(message.get("content"), (*at, "content"))))


def _read_usage(usage: Fields) -> Usage:
    fresh, written_out = as_count(usage.get("inputTokens")), as_count(usage.get("outputTokens"))
    read, written = (
        as_count(usage.get(f"cache{way}InputTokens", usage.get(f"cache{way}InputTokenCount")))
        for way in ("Read", "Write")
    )
    # inputTokens leaves out tokens read from or written to the cache
    return Usage(None if fresh is None else fresh + (read or 0) + (written or 0), written_out, read, written)


def _all_parts(content: Any, at: JsonPath) -> list[EditablePart]:
    """Return the parts of a ``content`` value that stands at path ``at`` of its body, and then those beside them."""
    return [*_content_parts(content, at), *_parts_beside(content, at)]


def _content_parts(content: Any, at: JsonPath) -> Iterator[EditablePart]:
    if isinstance(content, str):  # the service refuses such content itself
        yield Text(content), replace_at(*at)
    elif isinstance(content, Mapping):
        count_not_understood()
        yield from _block_parts(content, at)
    elif content is not None and not isinstance(content, (list, tuple)):
        yield unknown_part("content"), None
    else:
        for i, block in enumerate(content or ()):
            yield from _item_parts(block, (*at, i))


def _item_parts(block: Any, at: JsonPath) -> Iterator[EditablePart]:
    if isinstance(block, str):
        yield Text(block), replace_at(*at)
    elif isinstance(block, Mapping) and block:
        yield from _block_parts(block, at)
    else:
        yield unknown_part("content"), None


def _block_parts(block: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the parts of one content block."""
    for kind, value in block.items():
        if kind == "text":
            yield text_part(value, kind), replace_at(*at, kind)
        elif value is not None and kind not in _BLOCKS_WITHOUT_CONTENT:
            yield from _value_parts(kind, value, (*at, kind))


def _value_parts(kind: str, value: Any, at: JsonPath) -> Iterator[EditablePart]:
    read = _BLOCK_READERS.get(kind)
    if read is not None and isinstance(value, Mapping):
        yield from read(value, at)
    else:
        yield unknown_part(as_mapping(value).get("name") if kind == "SDK_UNKNOWN_MEMBER" else kind), None


def _parts_beside(content: Any, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the names and titles in a ``content`` value, and what its citations quote."""
    for i, block in enumerate(content if isinstance(content, (list, tuple)) else ()):
        fields = block if isinstance(block, Mapping) else {}
        yield from _named_parts(fields, (*at, i))
        results = _inner(fields, "toolResult").get("content")
        for j, item in enumerate(results if isinstance(results, (list, tuple)) else ()):
            yield from _named_parts(item if isinstance(item, Mapping) else {}, (*at, i, "toolResult", "content", j))
        for j, citation in enumerate(as_list(_inner(fields, "citationsContent").get("citations"))):
            if text := cited_text(citation):
                yield ToolCallResponse(text), partial(_replace_citation, (*at, i, "citationsContent", "citations", j))


def _named_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield what names a block, or says how it is meant."""
    for kind, name in (("document", "name"), ("document", "context"), ("searchResult", "title")):
        if text := read_text(_inner(fields, kind).get(name)):
            yield ToolCallResponse(text), replace_at(*at, kind, name)


def _inner(fields: Fields, kind: str) -> Fields:
    value = fields.get(kind)
    return value if isinstance(value, Mapping) else {}


def cited_text(citation: Any) -> str:
    """Return what a citation quotes of its source."""
    fields = as_mapping(citation)
    return "\n".join(texts_in([fields.get("title"), fields.get("source"), fields.get("sourceContent")]))


def _replace_citation(at: JsonPath, body: Any, text: str) -> Any:
    return replace_value(body, at, {"title": text, "sourceContent": []})


def _tool_call_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield ToolCall(read_name(fields.get("name")), fields.get("input"), as_str(fields.get("toolUseId"))), None


def _tool_result_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield one part for each text and each JSON value of a tool result."""
    call_id = as_str(fields.get("toolUseId"))
    content = fields.get("content")
    if not isinstance(content, (list, tuple)):
        yield from _as_tool_responses(_content_parts(content, (*at, "content")), call_id)
        return
    for i, item in enumerate(content):
        place = (*at, "content", i)
        if isinstance(item, Mapping) and "json" in item:
            yield ToolCallResponse(item["json"], call_id), replace_block_at(*place)
        else:
            yield from _as_tool_responses(_item_parts(item, place), call_id)


def _search_result_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield from _as_tool_responses(_content_parts(fields.get("content"), (*at, "content")), None)


def _as_tool_responses(places: Iterable[EditablePart], call_id: str | None) -> Iterator[EditablePart]:
    """Yield the parts with texts turned into tool responses."""
    for part, replace in places:
        yield (ToolCallResponse(part.content, call_id) if isinstance(part, Text) else part), replace


def _reasoning_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield reasoning without a function to edit it, because the service signs it."""
    text = read_text(fields.get("reasoningText")) or ""
    yield Reasoning(text, is_encrypted=not text and bool(fields.get("redactedContent"))), None


def _cited_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    yield from _content_parts(fields.get("content"), (*at, "content"))


def _guarded_parts(fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield the content that a guardrail checks."""
    if "image" in fields:
        yield from _media_parts("image", as_mapping(fields["image"]), at)
    else:
        yield text_part(_inner(fields, "text").get("text"), "guardContent"), replace_at(*at, "text", "text")


def _media_parts(kind: str, fields: Fields, at: JsonPath) -> Iterator[EditablePart]:
    """Yield a medium by reference, or the text of a document that is text."""
    source = as_mapping(fields.get("source"))
    if "text" in source:
        yield from _block_parts({"text": source["text"]}, (*at, "source"))
    elif "content" in source:
        yield from _content_parts(source["content"], (*at, "source", "content"))
    else:
        form = as_str(fields.get("format"))
        mime_type = f"{kind}/{form}" if form and kind != "document" else None
        yield Media(_MODALITIES[kind], as_str(as_mapping(source.get("s3Location")).get("uri")), mime_type), None


_BLOCK_READERS: Mapping[str, Callable[[Fields, JsonPath], Iterator[EditablePart]]] = {
    "toolUse": _tool_call_parts,
    "toolResult": _tool_result_parts,
    "searchResult": _search_result_parts,
    "reasoningContent": _reasoning_parts,
    "citationsContent": _cited_parts,
    "guardContent": _guarded_parts,
    **{kind: partial(_media_parts, kind) for kind in _MODALITIES},
}
