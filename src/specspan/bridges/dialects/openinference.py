"""OpenInference: every value is an attribute of its own, numbered (`llm.input_messages.0.message.content`).

Source: https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from __future__ import annotations

from specspan.bridges.attribute_values import as_mapping, first_str, item_prefixes, read_usage
from specspan.bridges.dialect import Attributes, Dialect, RecordedSpan
from specspan.bridges.recorded_content import (
    NOT_RECORDED,
    NOT_UNDERSTOOD,
    ContentReader,
    content_gaps,
    finish_reasons,
)
from specspan.call import (
    Media,
    Message,
    ModelCall,
    Part,
    Reasoning,
    Request,
    Response,
    Text,
    ToolCall,
    ToolCallResponse,
)
from specspan.instrument.formats.fields import media_reference
from specspan.record import foreign_conventions as names

_OPERATIONS = {"LLM": "chat", "EMBEDDING": "embeddings"}
_MEDIA = ("image", "audio", "video", "file")


def _read(span: RecordedSpan) -> ModelCall:
    attributes, input_reader, output_reader = span.attributes, ContentReader(span), ContentReader(span)
    is_chat = _OPERATIONS[str(attributes[names.OPENINFERENCE_SPAN_KIND])] == "chat"
    request = _read_request(input_reader, attributes, is_chat=is_chat)
    output = _read_messages(output_reader, attributes, names.OPENINFERENCE_OUTPUT_PREFIX) if is_chat else ()
    response = None if span.failed and not output else _read_response(attributes, output)
    return ModelCall(request, response, gaps=content_gaps(input_reader, output_reader, response))


def _read_request(reader: ContentReader, attributes: Attributes, *, is_chat: bool) -> Request:
    parameters = as_mapping(attributes.get(names.OPENINFERENCE_PARAMETERS))
    tools = item_prefixes(attributes, names.OPENINFERENCE_TOOLS_PREFIX)
    if is_chat:
        messages = _read_messages(reader, attributes, names.OPENINFERENCE_INPUT_PREFIX)
    else:
        messages = _read_embedded_texts(reader, attributes)
    return Request(
        provider=first_str(attributes, *names.OPENINFERENCE_PROVIDER) or "unknown",
        operation="chat" if is_chat else "embeddings",
        model=first_str(parameters, "model", "model_name") or first_str(attributes, *names.OPENINFERENCE_MODEL),
        input=messages,
        tools=tuple(as_mapping(attributes.get(prefix + "tool.json_schema")) for prefix in tools),
        streaming=parameters.get("stream") is True,
        conversation=first_str(attributes, names.OPENINFERENCE_SESSION_ID),
    )


def _read_response(attributes: Attributes, output: tuple[Message, ...]) -> Response:
    reason = first_str(attributes, names.OPENINFERENCE_FINISH_REASON)
    return Response(
        id=first_str(as_mapping(attributes.get(names.OPENINFERENCE_OUTPUT)), "id"),
        model=first_str(attributes, *names.OPENINFERENCE_MODEL),
        output=output,
        finish_reasons=finish_reasons(output, (reason,) if reason else ()),
        usage=read_usage(attributes, names.OPENINFERENCE_USAGE),
    )


def _read_messages(reader: ContentReader, attributes: Attributes, prefix: str) -> tuple[Message, ...]:
    items = list(item_prefixes(attributes, prefix))
    if not items:
        reader.note_missing(NOT_RECORDED)
    return tuple(_read_message(reader, attributes, item + "message.") for item in items)


def _read_embedded_texts(reader: ContentReader, attributes: Attributes) -> tuple[Message, ...]:
    items = list(item_prefixes(attributes, names.OPENINFERENCE_EMBEDDINGS_PREFIX))
    if not items:
        reader.note_missing(NOT_RECORDED)
    texts = [reader.read_text(attributes.get(item + "embedding.text")) for item in items]
    return tuple(Message("user", (Text(text),)) for text in texts)


def _read_message(reader: ContentReader, attributes: Attributes, prefix: str) -> Message:
    role = first_str(attributes, prefix + "role") or "assistant"
    contents = item_prefixes(attributes, prefix + "contents.")
    calls = item_prefixes(attributes, prefix + "tool_calls.")
    parts: list[Part] = []
    if prefix + "content" in attributes:
        text = reader.read_text(attributes[prefix + "content"])
        parts.append(_text_part(role, text, first_str(attributes, prefix + "tool_call_id")))
    parts += [_read_content(reader, attributes, item + "message_content.") for item in contents]
    parts += [_read_tool_call(reader, attributes, item + "tool_call.") for item in calls]
    if not parts:  # hidden texts and an empty message look the same
        reader.note_missing(NOT_RECORDED, "text")
    return Message(role, tuple(parts))


def _read_content(reader: ContentReader, attributes: Attributes, prefix: str) -> Part:
    kind = first_str(attributes, prefix + "type")
    if kind in ("text", "output_text", "input_text"):
        return Text(reader.read_text(attributes.get(prefix + "text")))
    if kind in ("reasoning", "thinking"):
        return Reasoning(reader.read_text(attributes.get(prefix + "text")))
    if kind in _MEDIA:
        return Media(str(kind), *media_reference(attributes.get(f"{prefix}{kind}.{kind}.url")))
    reader.note_missing(NOT_UNDERSTOOD)
    return Media("file")


def _read_tool_call(reader: ContentReader, attributes: Attributes, prefix: str) -> ToolCall:
    name = reader.read_text(attributes.get(prefix + "function.name"), "tool_calls")
    arguments = reader.read_arguments(attributes.get(prefix + "function.arguments"))
    return ToolCall(name, arguments, first_str(attributes, prefix + "id"))


def _text_part(role: str, text: str, call_id: str | None) -> Part:
    return ToolCallResponse(text, call_id) if role in ("tool", "function") else Text(text)


def _matches(span: RecordedSpan) -> bool:
    return span.attributes.get(names.OPENINFERENCE_SPAN_KIND) in _OPERATIONS


DIALECT = Dialect("openinference", _matches, _read)
