"""Items in the shape of OpenAI's Responses API, as dicts or as a client's objects.

Input and output are lists of items: messages, reasoning, tool calls and their results. A value of another shape than it
should have is read where it holds a text; where not, an `specspan.call.Unknown` part stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import EditablePart, JsonPath, replace_at
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
    replace_texts,
    unknown_part,
    unread_part,
)
from specspan.instrument.formats.openai_chat import CITATION_FIELDS

_DERIVED_FROM_TEXT: dict[str, Any] = {"annotations": [], "logprobs": None, "parsed": None}
"""Fields beside a text that are reset when the text is edited."""
ARGUMENT_FIELDS = ("arguments", "input", "action", "operation", "code", "queries")
"""Fields in which the kinds of tool call keep their arguments."""
RESULT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "mcp_call": ("output", "error"),
    "file_search_call": ("results",),
    "code_interpreter_call": ("outputs",),
    "image_generation_call": ("revised_prompt",),
}
"""Fields in which a tool of the service keeps its results, by the kind of its call."""
RESULT_TEXTS = ("text", "logs", "stdout", "stderr", "filename", "error", "message")
"""Fields with a text in one result of a tool."""
_MODALITIES = {"input_image": "image", "input_file": "file", "input_audio": "audio", "image": "image"}
CONTENT_KINDS = ("output_text", "input_text", "text", "refusal", "output_audio", *_MODALITIES)
_REASONING_KINDS = ("summary_text", "reasoning_text")


_EMPTY_FIELDS = frozenset(("id", "type", "role", "status", "content", "phase"))
"""Fields of a message without content that hold no text."""


def read_item(item: Any) -> Message:
    """Read one item of a request as a message, or as one that says that it holds something else."""
    parts: tuple[Part, ...] = tuple([part for part, _ in _item_parts(item)])
    fields = as_mapping(item)
    is_message = str(fields.get("type") or "message") == "message"
    if is_message and not parts and (unread := unread_part(item, _EMPTY_FIELDS, "item")) is not None:
        parts = (unread,)
    return Message(_read_role(fields), parts)


def read_output(items: Any, finish_reason: str | None) -> Message:
    """Read all output items as one message."""
    parts = [part for item in list_or_item(items or ()) for part, _ in _item_parts(item)]
    return Message("assistant", tuple(parts), finish_reason=finish_reason)


def edit_input(items: Iterable[Any], edits: Edits) -> list[Any]:
    """Return the items of a request with the texts that ``edits`` has for them."""
    return [
        _replace_item_texts(item, (edits.get(f"/input/{i}/parts/{j}") for j in count())) for i, item in enumerate(items)
    ]


def edit_output(items: Iterable[Any], edits: Edits) -> Any:
    """Return the items of a response with the texts that ``edits`` has for them."""
    texts = (edits.get(f"/output/0/parts/{j}") for j in count())
    edited = [_replace_item_texts(item, texts) for item in list_or_item(items)]
    return edited[0] if isinstance(items, (str, Mapping)) else edited


def _replace_item_texts(item: Any, texts: Iterable[str | None]) -> Any:
    if isinstance(item, (str, list, tuple)):  # one part, which stands for all of a list
        edited = next(iter(texts), None)
        return edited if isinstance(item, str) and edited is not None else item
    return replace_texts(item, _item_parts, texts)


def _read_role(item: Fields) -> str:
    role = item.get("role")
    if role:
        return str(role)
    return "tool" if str(item.get("type")).endswith("_output") else "assistant"


def _item_parts(item: Any) -> Iterator[EditablePart]:
    """Yield the parts of an item, each with the function that replaces its text."""
    if isinstance(item, str):
        yield Text(item), None
        return
    if item is None:
        return
    if isinstance(item, (list, tuple)):
        yield unknown_part("list"), None
        return
    fields = as_mapping(item)
    kind = str(fields.get("type") or "message")
    if kind == "message":
        yield from _content_parts(fields, "content")
    elif kind == "reasoning":
        yield from _reasoning_parts(fields)
    elif kind in CONTENT_KINDS:
        yield from _piece_parts(fields, ())
    elif kind.endswith("_output"):
        yield from _result_parts(fields, "result" if "result" in fields else "output")
    elif kind.endswith("_call") or kind == "mcp_approval_request":
        yield from _tool_call_parts(fields, kind)
    elif kind == "mcp_list_tools":
        yield from _listed_tools(fields)
    else:
        yield unknown_part(kind), None


def _reasoning_parts(item: Fields) -> Iterator[EditablePart]:
    parts = [*_content_parts(item, "summary", Reasoning), *_content_parts(item, "content", Reasoning)]
    yield from parts
    if not parts and item.get("encrypted_content") and item.get("status") != "in_progress":
        yield Reasoning("", is_encrypted=True), None


def _listed_tools(item: Fields) -> Iterator[EditablePart]:
    """Yield what a server says of its tools."""
    for index, tool in enumerate(map(as_mapping, list_or_item(item.get("tools") or ()))):
        for field in ("name", "description"):
            if text := read_text(tool.get(field)):
                yield ToolCallResponse(text, as_str(item.get("id"))), replace_at("tools", index, field)


def _content_parts(
    item: Fields, name: str, text_part: Callable[[str], Text | Reasoning] = Text
) -> Iterator[EditablePart]:
    """Yield the parts of a content, which is a list of pieces; some services send a text, or one piece."""
    content = item.get(name)
    if isinstance(content, str):
        yield text_part(content), replace_at(name)
    elif isinstance(content, Mapping):
        yield from _piece_parts(content, (name,), text_part)
    else:
        for index, piece in enumerate(list_or_item(content or ())):
            yield from _piece_parts(piece, (name, index), text_part)


def _piece_parts(
    piece: Any, path: JsonPath, text_part: Callable[[str], Text | Reasoning] = Text
) -> Iterator[EditablePart]:
    """Yield the parts of one piece of a content, which stands at ``path`` in its item."""
    if isinstance(piece, str):
        yield text_part(piece), replace_at(*path)
        return
    if piece is None:
        return
    fields = as_mapping(piece)
    kind, text = str(fields.get("type")), read_text(fields.get("text"))
    if text is not None:
        yield (Reasoning(text) if kind in _REASONING_KINDS else text_part(text)), partial(_replace_text, path)
        yield from _annotation_parts(fields, path)
    elif kind == "refusal":
        yield Refusal(read_text(fields.get("refusal")) or ""), replace_at(*path, "refusal")
    elif (transcript := read_text(fields.get("transcript"))) is not None:
        yield Text(transcript), replace_at(*path, "transcript")
    elif kind in _MODALITIES:
        address = fields.get("image_url") or fields.get("file_url") or fields.get("file_id") or fields.get("url")
        yield Media(_MODALITIES[kind], *media_reference(address)), None
    else:
        yield unknown_part(kind if fields else type(piece).__name__), None


def _replace_text(path: JsonPath, item: Any, text: str) -> Any:
    """Return a copy of an item with another text at ``path``, and without what was derived from the text."""
    if not path:
        before = as_mapping(item)
        derived = {name: value for name, value in _DERIVED_FROM_TEXT.items() if before.get(name)}
        return copy_with(item, text=text, **derived)
    key, rest = path[0], path[1:]
    if isinstance(item, (list, tuple)):
        copied = list(item)
        copied[int(key)] = _replace_text(rest, copied[int(key)], text)
        return copied
    return copy_with(item, **{str(key): _replace_text(rest, as_mapping(item)[str(key)], text)})


def _annotation_parts(piece: Fields, path: JsonPath) -> Iterator[EditablePart]:
    """Yield the names of the sources that a text cites, which a search found."""
    for index, annotation in enumerate(list_or_item(piece.get("annotations") or ())):
        for field, text in annotation_texts(annotation):
            yield ToolCallResponse(text), partial(_replace_annotation, path, index, field)


def annotation_texts(annotation: Any) -> Iterator[tuple[str, str]]:
    """Yield the texts of a citation that a person sees, each with its field."""
    fields = as_mapping(annotation)
    for field in CITATION_FIELDS:
        if text := read_text(fields.get(field)):
            yield field, text


def _replace_annotation(path: JsonPath, index: int, field: str, item: Any, text: str) -> Any:
    """Return a copy of an item with another text in a citation; an edit of the text that cites has removed it."""
    piece = item
    for key in path:
        piece = piece[int(key)] if isinstance(piece, (list, tuple)) else as_mapping(piece)[str(key)]
    if not as_mapping(piece).get("annotations"):
        return item
    return replace_at(*path, "annotations", index, field)(item, text)


def _tool_call_parts(item: Fields, kind: str) -> Iterator[EditablePart]:
    """Yield a tool call; for a tool of the service also its results, which the same item holds."""
    value = next((item[name] for name in ARGUMENT_FIELDS if item.get(name)), None)
    arguments = parse_arguments(value) if isinstance(value, str) else _dump_models(value)
    call_id = as_str(item.get("call_id") or item.get("id"))
    yield ToolCall(read_text(item.get("name")) or kind.removesuffix("_call"), arguments, call_id), None
    for name in RESULT_FIELDS.get(kind, ()):
        yield from _result_parts(item, name)
    if kind == "image_generation_call" and item.get("result"):
        yield Media("image", mime_type=f"image/{item.get('output_format') or 'png'}"), None


def _dump_models(value: Any) -> Any:
    """Return plain data in place of the client's objects."""
    if isinstance(value, list):
        return [_dump_models(each) for each in value]
    return value.model_dump(exclude_unset=True) if hasattr(value, "model_dump") else value


def _result_parts(item: Fields, name: str) -> Iterator[EditablePart]:
    """Yield what a tool answered: a text, a list of results, or data."""
    answer = item.get(name)
    call_id = as_str(item.get("call_id") or item.get("id"))
    if isinstance(answer, str):
        yield ToolCallResponse(answer, call_id), replace_at(name)
    elif isinstance(answer, list):
        for index, result in enumerate(answer):
            if result is not None:
                yield from _one_result(result, (name, index), call_id)
    elif answer is not None:
        yield ToolCallResponse(_dump_models(answer), call_id), None


def _one_result(result: Any, path: JsonPath, call_id: str | None) -> Iterator[EditablePart]:
    if isinstance(result, str):
        yield ToolCallResponse(result, call_id), replace_at(*path)
        return
    fields = as_mapping(result)
    if str(fields.get("type")) in _MODALITIES or not any(field in fields for field in RESULT_TEXTS):
        yield from _piece_parts(result, path)
        return
    for field in RESULT_TEXTS:
        if text := read_text(fields.get(field)):
            replace: ReplaceText = partial(_replace_text, path) if field == "text" else replace_at(*path, field)
            yield ToolCallResponse(text, call_id), replace
