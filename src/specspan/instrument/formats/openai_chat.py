"""Messages in the shape of OpenAI's chat completions, as dicts or as a client's objects.

Requests and responses have this shape, and other providers use it as well. A value of another shape than it should
have is read where it holds a text; where not, an `specspan.call.Unknown` part stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import EditablePart
from specspan.instrument.formats.fields import (
    Fields,
    ReplaceText,
    as_mapping,
    as_str,
    copy_with,
    list_or_item,
    media_reference,
    parse_arguments,
    read_text,
    replace_in_list,
    replace_texts,
    to_plain_data,
    unknown_part,
    unread_part,
)

_MODALITIES = {
    "image_url": "image",
    "input_audio": "audio",
    "audio": "audio",
    "file": "file",
    "document_url": "file",
    "video_url": "video",
}
_CITATION_TYPES = ("reference", "tool_reference")
"""Content items that name the source of the text beside them."""
CITATION_FIELDS = ("title", "filename", "document_name")
"""Fields of a citation that a person sees."""
REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Fields in which services other than OpenAI send reasoning; some send two, mostly with the same text."""
_REASONING = frozenset((*REASONING_FIELDS, "reasoning_details", "tool_plan"))

_EMPTY_FIELDS = frozenset(
    ("role", "name", "id", "type", "object", "tool_call_id", "tool_name", "content", "refusal", "tool_calls",
     "function_call", "audio", "images", "annotations", "citations", "tool_plan", "parsed", *REASONING_FIELDS,
     "reasoning_details", "provider_specific_fields", "extra_content", "signature")
)  # fmt: skip
"""Fields of a message without content that hold no text of the model's, or were read."""


_ODD = (list, str)


def read_choice(choice: Any, finish_reason: str | None = None) -> Message:
    """Return the message of a choice."""
    message = as_mapping(choice).get("message")
    return with_odd_part(read_answer(message, finish_reason), choice, message)


def with_odd_part(read: Message, *values: Any) -> Message:
    """Return a message, with a part that is not understood where one of the values it was read from is no object.

    A list or a text in place of an object may have been anything, such as a tool call.
    """
    if any(value and isinstance(value, _ODD) for value in values):
        return replace(read, parts=(*read.parts, unknown_part("message")))
    return read


def read_answer(message: Any, finish_reason: str | None = None) -> Message:
    """Return the message of an answer, of which texts in other fields are read beside it."""
    fields = as_mapping(message)
    parts = tuple([part for part, _ in _message_parts(fields)])
    return Message(as_str(fields.get("role")) or "assistant", parts, as_str(fields.get("name")), finish_reason)


def read_message(message: Any, finish_reason: str | None = None) -> Message:
    """Return the message in a dict or a client's object, or one that says that it holds something else."""
    read = read_answer(message, finish_reason)
    if not read.parts and (unread := unread_part(message, _EMPTY_FIELDS, "message")) is not None:
        return replace(read, parts=(unread,))
    return read


def edit_messages(messages: Iterable[Any], side: str, edits: Edits) -> list[Any]:
    """Return the messages with the texts that ``edits`` has for one ``side`` of the call."""
    return [
        replace_texts(message, _message_parts, (edits.get(f"/{side}/{i}/parts/{j}") for j in count()))
        for i, message in enumerate(messages)
    ]


def _message_parts(fields: Fields) -> Iterator[EditablePart]:
    """Yield the parts of a message, each with the function that replaces its text."""
    yield from _reasoning_parts(fields)
    content = fields.get("content")
    if isinstance(content, str):
        if content:
            yield _text_part(fields, content), _replace_field("content")
    elif content:
        yield from _content_parts(fields, content)
    if audio := fields.get("audio"):
        yield from _audio_parts(as_mapping(audio))
    if refusal := fields.get("refusal"):
        yield _text_or_unknown(Refusal, refusal, "refusal"), _replace_field("refusal")
    if calls := fields.get("tool_calls"):
        yield from _tool_call_parts(calls)
    if function := fields.get("function_call"):
        if isinstance(function, list):
            yield unknown_part("function_call"), None
        yield from _function_call_parts(as_mapping(function))
    if annotations := fields.get("annotations"):
        yield from _annotation_parts(annotations)


def _reasoning_parts(fields: Fields) -> Iterator[EditablePart]:
    """Yield the reasoning of each field, what several of them say alike once."""
    if _REASONING.isdisjoint(fields):
        return
    said: list[str | None] = []
    for name in REASONING_FIELDS:
        if reasoning := fields.get(name):
            text = read_text(reasoning)
            if text is None or text not in said:
                yield _text_or_unknown(Reasoning, reasoning, "reasoning"), partial(_replace_reasoning, reasoning)
            said.append(text)
    details = [as_mapping(detail) for detail in list_or_item(fields.get("reasoning_details") or ())]
    texts = [read_text(detail.get("text")) or read_text(detail.get("summary")) for detail in details]
    is_repeated = "".join([text for text in texts if text]) in said
    for detail, text in zip(details, texts, strict=True):
        if text and not is_repeated and text not in said:
            yield Reasoning(text), None
        elif not text and detail.get("data"):
            yield Reasoning("", is_encrypted=True), None
    if plan := fields.get("tool_plan"):
        yield _text_or_unknown(Reasoning, plan, "tool_plan"), None


def _text_or_unknown(kind: Callable[[str], Part], value: Any, name: str) -> Part:
    """Return a part with the text of ``value``, which may have an odd shape."""
    text = read_text(value) if value else ""
    return unknown_part(name) if text is None else kind(text)


def _text_part(message: Fields, text: str) -> Part:
    return (
        ToolCallResponse(text, message.get("tool_call_id"))
        if message.get("role") in ("tool", "function")
        else Text(text)
    )


def _content_parts(message: Fields, content: Any) -> Iterator[EditablePart]:
    """Yield the parts of a content that is a list, or an item outside of a list."""
    if isinstance(content, Mapping) or not isinstance(content, Iterable):
        yield _content_part(message, as_mapping(content), partial(_put_content, content), type(content).__name__)
        return
    for index, item in enumerate(content):
        if isinstance(item, str):
            yield _text_part(message, item), partial(_replace_item, index)
        elif item is not None:
            fields, replace = as_mapping(item), partial(replace_in_list, "content", index)
            if fields.get("type") not in _CITATION_TYPES:
                yield _content_part(message, fields, replace)
            for field in CITATION_FIELDS:
                if isinstance(text := fields.get(field), str):
                    yield ToolCallResponse(text), replace(field)
            for text in list_or_item(fields.get("reference_ids") or ()):
                if isinstance(text, str):
                    yield ToolCallResponse(text), None


def _put_content(content: Any, field: str) -> ReplaceText:
    return lambda message, text: copy_with(message, content=copy_with(content, **{field: text}))


def _replace_item(index: int, message: Any, text: str) -> Any:
    items = list(as_mapping(message)["content"])
    items[index] = text
    return copy_with(message, content=items)


def _content_part(
    message: Fields, item: Fields, replace: Callable[[str], ReplaceText], default_kind: str = "None"
) -> EditablePart:
    """Return one item of a content; ``replace`` returns the function that replaces one of its fields."""
    kind = str(item.get("type") or default_kind)
    text = read_text(item.get("text"))
    if text is not None:
        return _text_part(message, text), replace("text")
    if kind == "refusal":
        return _text_or_unknown(Refusal, item.get("refusal"), kind), replace("refusal")
    if kind == "document":
        document = as_mapping(item.get(kind))
        response = ToolCallResponse(to_plain_data(document.get("data")), message.get("tool_call_id"))
        return response, _replace_document(replace("document"), document)
    if kind == "thinking":
        return Reasoning(read_text(item.get(kind)) or ""), None
    return (_media_part(kind, item) if kind in _MODALITIES else unknown_part(kind)), None


def _replace_document(replace: ReplaceText, document: Fields) -> ReplaceText:
    put: Any = replace
    return lambda message, text: put(message, {**document, "data": {"text": text}})


def _media_part(kind: str, item: Fields) -> Media:
    """Return a medium by reference.

    Some services write the address, or the bytes as text, in place of an object.
    """
    medium = item.get(kind)
    if isinstance(medium, str):
        return Media(_MODALITIES[kind], *media_reference(medium if kind.endswith("_url") else None))
    fields = as_mapping(medium)
    return Media(_MODALITIES[kind], *media_reference(fields.get("url") or fields.get("file_id") or item.get("file_id")))


def _audio_parts(audio: Fields) -> Iterator[EditablePart]:
    """Yield the transcript of a spoken answer. An edit removes the sound as well, which says the same."""
    if transcript := audio.get("transcript"):
        cleared_data = {"data": ""} if audio.get("data") else {}
        yield (
            _text_or_unknown(Text, transcript, "audio"),
            lambda message, text: copy_with(
                message, audio=copy_with(as_mapping(message)["audio"], transcript=text, **cleared_data)
            ),
        )
    elif audio.get("data"):
        yield Media("audio"), None


def citation_texts(annotations: Any) -> list[str]:
    """Return the texts of the sources that an answer cites."""
    return [part.response for part, _ in _annotation_parts(annotations)]


def _annotation_parts(annotations: Any) -> Iterator[tuple[ToolCallResponse, ReplaceText]]:
    """Yield the titles of the sources that an answer cites, which a search found."""
    for index, annotation in enumerate(map(as_mapping, list_or_item(annotations))):
        kind = str(annotation.get("type"))
        source = as_mapping(annotation.get(kind)) or annotation
        for field in CITATION_FIELDS:
            if text := read_text(source.get(field)):
                nested = kind if annotation.get(kind) else None
                yield ToolCallResponse(text), partial(_replace_annotation, index, nested, field)


def _replace_annotation(index: int, kind: str | None, field: str, message: Any, text: str) -> Any:
    edited = list(as_mapping(message)["annotations"])
    annotation = edited[index]
    change = {field: text} if kind is None else {kind: copy_with(as_mapping(annotation)[kind], **{field: text})}
    edited[index] = copy_with(annotation, **change)
    return copy_with(message, annotations=edited)


def _replace_field(name: str) -> ReplaceText:
    return lambda message, text: copy_with(message, **{name: text})


def _replace_reasoning(before: Any, message: Any, text: str) -> Any:
    fields = as_mapping(message)
    return copy_with(message, **{name: text for name in REASONING_FIELDS if fields.get(name) == before})


def _tool_call_parts(calls: Any) -> Iterator[EditablePart]:
    for call in list_or_item(calls):
        if call is not None:
            yield _read_tool_call(call), None


def _read_tool_call(call: Any) -> Part:
    """Return a tool call, or the part that stands for a kind of tool that this version does not know.

    The type decides: some services fill the fields of all types, with empty values.
    """
    fields = as_mapping(call)
    kind, call_id = fields.get("type"), as_str(fields.get("id"))
    function, custom = fields.get("function"), as_mapping(fields.get("custom"))
    if kind == "custom" or (kind is None and not function and custom):
        return ToolCall(read_text(custom.get("name")) or "", to_plain_data(custom.get("input")), call_id)
    if kind != "function" and not (function if kind is None else as_mapping(function).get("name")):
        return unknown_part(kind or type(call).__name__)
    if isinstance(function, str):
        return ToolCall(function, None, call_id)
    if isinstance(function, list) and function:
        return unknown_part(kind or "function")  # of which the model's call may be any
    return _read_function_call(as_mapping(function), call_id)


def _function_call_parts(function: Fields) -> Iterator[EditablePart]:
    """Yield a call in the shape of before there were several; none where a service fills the field without a call."""
    if function.get("name") or function.get("arguments"):
        yield _read_function_call(function), None


def _read_function_call(function: Fields, call_id: str | None = None) -> ToolCall:
    return ToolCall(read_text(function.get("name")) or "", parse_arguments(function.get("arguments")), call_id)
