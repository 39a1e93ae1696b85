"""Readers of recorded messages in the shapes of the conventions, of providers' bodies and of LangChain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from specspan.bridges.dialect import Attributes
from specspan.bridges.recorded_content import NOT_RECORDED, NOT_UNDERSTOOD, ContentReader
from specspan.call import Media, Message, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse, Unknown
from specspan.instrument.formats import anthropic_messages as anthropic
from specspan.instrument.formats import openai_chat as chat
from specspan.instrument.formats import openai_responses as responses
from specspan.instrument.formats.fields import media_reference

_ANTHROPIC_BLOCK_TYPES = ("tool_use", "tool_result", "thinking", "document", "server_tool_use")
_LANGCHAIN_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
"""Roles by LangChain's names for senders."""


def read_messages(reader: ContentReader, value: Any, role: str) -> tuple[Message, ...]:
    """Read messages from a list or its JSON, each in any shape; ``role`` is for messages that name none."""
    items = reader.parse_json(value)
    if isinstance(items, str):
        return (Message(role, (Text(reader.read_text(items)),)),)
    if isinstance(items, Mapping):
        items = [items]
    if not isinstance(items, (list, tuple, type(None))):
        reader.note_missing(NOT_UNDERSTOOD)
        return ()
    if not items:
        reader.note_missing(NOT_RECORDED)
        return ()
    return tuple(read_message(reader, each, role) for each in items)


def read_message(reader: ContentReader, value: Any, role: str) -> Message:
    """Read one message of any shape."""
    if not isinstance(value, Mapping):
        reader.note_missing(NOT_UNDERSTOOD)
        return Message(role)
    if "parts" in value:
        message = Message(
            str(value.get("role") or role),
            read_parts(reader, value["parts"]),
            _as_str(value.get("name")),
            _as_str(value.get("finish_reason")),
        )
        if not message.parts:  # some libraries drop parts they cannot record, with the text beside them
            reader.note_missing(NOT_RECORDED)
        return message
    return _read_client_message(reader, value, role)


def read_parts(reader: ContentReader, value: Any) -> tuple[Part, ...]:
    """Read parts in the shape of the conventions from a list or its JSON."""
    items = reader.parse_json(value)
    if isinstance(items, str):
        return (Text(reader.read_text(items)),)
    if not isinstance(items, (list, tuple)):
        reader.note_missing(NOT_UNDERSTOOD)
        return ()
    return tuple(_read_part(reader, each) for each in items)


def _read_part(reader: ContentReader, part: Any) -> Part:
    kind = part.get("type") if isinstance(part, Mapping) else None
    read = _PART_READERS.get(kind) if isinstance(kind, str) else None
    if read is None:
        reader.note_missing(NOT_UNDERSTOOD)
        return Unknown(str(kind))
    return read(reader, part)


def _text_reader(kind: Callable[[str], Part]) -> Callable[[ContentReader, Attributes], Part]:
    return lambda reader, part: kind(reader.read_text(part.get("content")))


def _media_part(reader: ContentReader, part: Attributes) -> Part:
    uri, mime_type = media_reference(part.get("uri") or part.get("file_id") or part.get("url"))
    return Media(str(part.get("modality") or "file"), uri, _as_str(part.get("mime_type")) or mime_type)


def _tool_call(reader: ContentReader, part: Attributes) -> Part:
    return ToolCall(
        reader.read_text(part.get("name"), "tool_calls"), reader.read_arguments(part.get("arguments")), _part_id(part)
    )


def _tool_response(reader: ContentReader, part: Attributes) -> Part:
    answer = part.get("response", part.get("result"))
    return ToolCallResponse(
        reader.read_text(answer) if answer is None or isinstance(answer, str) else answer, _part_id(part)
    )


_PART_READERS: Mapping[str, Callable[[ContentReader, Attributes], Part]] = {
    "text": _text_reader(Text),
    "reasoning": _text_reader(Reasoning),
    "thinking": _text_reader(Reasoning),
    "refusal": _text_reader(Refusal),
    "tool_call": _tool_call,
    "tool_call_response": _tool_response,
    "uri": _media_part,
    "blob": _media_part,
    "file": _media_part,
    "image-url": _media_part,
    "audio-url": _media_part,
    "video-url": _media_part,
    "document-url": _media_part,
    "binary": _media_part,
}


def _read_client_message(reader: ContentReader, message: Attributes, role: str) -> Message:
    """Read a message in the shape of a provider's client or of LangChain."""
    if isinstance(message.get("kwargs"), Mapping):
        return _read_langchain_message(reader, message["kwargs"], role)
    if str(message.get("type")) in _LANGCHAIN_ROLES and "role" not in message:
        return _read_langchain_message(reader, message, role)
    fields = message if message.get("role") else {**message, "role": role}
    try:
        read = anthropic.read_message if _is_anthropic(fields.get("content")) else chat.read_message
        read_result = reader.check_message(read(fields, _as_str(message.get("finish_reason"))))
    except (TypeError, ValueError, AttributeError):
        reader.note_missing(NOT_UNDERSTOOD)
        return Message(str(fields["role"]))
    if not read_result.parts and fields.get("content") != "":
        reader.note_missing(NOT_RECORDED, "text")
    return read_result


def _is_anthropic(content: Any) -> bool:
    items = content if isinstance(content, list) else ()
    return any(isinstance(item, Mapping) and item.get("type") in _ANTHROPIC_BLOCK_TYPES for item in items)


def _read_langchain_message(reader: ContentReader, fields: Attributes, role: str) -> Message:
    """Read a message of LangChain, which has tool calls in a shape of its own."""
    sender = _LANGCHAIN_ROLES.get(str(fields.get("type")), role)
    calls = [
        ToolCall(
            reader.read_text(call.get("name"), "tool_calls"), reader.read_arguments(call.get("args")), _part_id(call)
        )
        for call in _as_list(fields.get("tool_calls"))
        if isinstance(call, Mapping)
    ]
    content = fields.get("content")
    rest = {"role": sender, "content": content, "tool_call_id": fields.get("tool_call_id")}
    if content or not calls:
        message = _read_client_message(reader, rest, sender)
        known = tuple(part for part in message.parts if not (calls and isinstance(part, ToolCall)))
        return Message(sender, (*known, *calls))
    return Message(sender, tuple(calls))


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _as_str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _part_id(part: Attributes) -> str | None:
    return _as_str(part.get("id"))


_INPUT_FIELDS = ("messages", "input", "inputs", "prompt", "prompts")


def read_input(reader: ContentReader, body: Any) -> tuple[Message, ...]:
    """Read the messages of a request: a mapping, a list of messages, or a text."""
    if not isinstance(body, Mapping):
        return _read_text_or_messages(reader, _flatten(body), "user") if body else _not_recorded(reader)
    system = body.get("system") or body.get("instructions")
    system_messages = (read_message(reader, {"role": "system", "content": system}, "system"),) if system else ()
    content = next((body[name] for name in _INPUT_FIELDS if body.get(name)), None)
    if content is None:
        return system_messages + _not_recorded(reader)
    content = _flatten(content)
    if isinstance(content, list) and any(_is_responses_item(each) for each in content):
        return system_messages + tuple(reader.check_message(responses.read_item(each)) for each in content)
    return system_messages + _read_text_or_messages(reader, content, "user")


def read_output(reader: ContentReader, body: Any) -> tuple[Message, ...]:
    """Read the messages of a response body."""
    if not isinstance(body, Mapping):
        return _read_text_or_messages(reader, body, "assistant") if body else _not_recorded(reader)
    for name, read in _OUTPUT_READERS.items():
        if body.get(name) is not None:
            return read(reader, body)
    return _not_recorded(reader)


def _read_text_or_messages(reader: ContentReader, value: Any, role: str) -> tuple[Message, ...]:
    """Read messages, or a text as the only message."""
    return (
        (Message(role, (Text(reader.read_text(value)),)),)
        if isinstance(value, str)
        else read_messages(reader, value, role)
    )


def _flatten(value: Any) -> Any:
    """Return one list; LangChain records a list of lists for several prompts at once."""
    nested = isinstance(value, list) and any(isinstance(each, list) for each in value)
    return [each for batch in value for each in (batch if isinstance(batch, list) else [batch])] if nested else value


def _not_recorded(reader: ContentReader) -> tuple[Message, ...]:
    reader.note_missing(NOT_RECORDED)
    return ()


def _is_responses_item(value: Any) -> bool:
    """Return whether a value is an item of the Responses API, which includes its messages."""
    kind = str(value.get("type", "")) if isinstance(value, Mapping) else ""
    return kind == "message" or kind.endswith(("_call", "_call_output"))


def _read_choices(reader: ContentReader, body: Attributes) -> tuple[Message, ...]:
    return tuple(_read_choice(reader, each) for each in _require_list(reader, body["choices"]))


def _read_choice(reader: ContentReader, choice: Any) -> Message:
    if not isinstance(choice, Mapping):
        return read_message(reader, choice, "assistant")
    reason = choice.get("finish_reason")
    if "message" not in choice:  # a text completion
        return Message("assistant", (Text(reader.read_text(choice.get("text"))),), finish_reason=reason)
    message = choice["message"]
    return read_message(
        reader, {**message, "finish_reason": reason} if isinstance(message, Mapping) else message, "assistant"
    )


def _read_anthropic_body(reader: ContentReader, body: Attributes) -> tuple[Message, ...]:
    """Read a body that is one message, as Anthropic's responses are."""
    return (
        read_message(
            reader, {**body, "finish_reason": body.get("stop_reason") or body.get("finish_reason")}, "assistant"
        ),
    )


def _read_output_items(reader: ContentReader, body: Attributes) -> tuple[Message, ...]:
    """Read the items of the Responses API, or another body's field ``output``."""
    output = body["output"]
    if isinstance(output, list) and any(_is_responses_item(each) for each in output):
        return (reader.check_message(responses.read_output(output, None)),)
    return read_output(reader, output)


def _read_generations(reader: ContentReader, body: Attributes) -> tuple[Message, ...]:
    """Read LangChain's generations: one or more answers for each of several prompts."""
    generations = _require_list(reader, body["generations"])
    return tuple(_read_generation(reader, each) for each in _flatten(generations))


def _read_generation(reader: ContentReader, each: Any) -> Message:
    if isinstance(each, Mapping) and "message" in each:
        return read_message(reader, each["message"], "assistant")
    return Message("assistant", (Text(reader.read_text(each.get("text") if isinstance(each, Mapping) else each)),))


def _read_message_field(reader: ContentReader, body: Attributes) -> tuple[Message, ...]:
    return (read_message(reader, body["message"], "assistant"),)


def _read_text_field(reader: ContentReader, body: Attributes) -> tuple[Message, ...]:
    text = next(body[name] for name in _TEXT_FIELDS if body.get(name) is not None)
    return (Message("assistant", (Text(reader.read_text(text)),)),)


def _read_messages_field(reader: ContentReader, body: Attributes) -> tuple[Message, ...]:
    return read_messages(reader, body["messages"], "assistant")


def _require_list(reader: ContentReader, value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    reader.note_missing(NOT_UNDERSTOOD)
    return []


_TEXT_FIELDS = ("text", "combined_chunk_content")
_OUTPUT_READERS = {
    "choices": _read_choices,
    "generations": _read_generations,
    "message": _read_message_field,
    "messages": _read_messages_field,
    "output": _read_output_items,
    "content": _read_anthropic_body,
    "kwargs": lambda reader, body: (read_message(reader, body, "assistant"),),
    "text": _read_text_field,
    "combined_chunk_content": _read_text_field,
}
