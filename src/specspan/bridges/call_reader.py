"""Reader of model calls from spans under OpenTelemetry's GenAI conventions, in all versions still in use.

Dialects of the conventions pass their own list of message readers; the first reader that finds messages counts.

Source: https://github.com/open-telemetry/semantic-conventions-genai, and semantic conventions 1.26 to 1.41.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from specspan.bridges.attribute_values import as_mapping, as_strings, first_str, is_any_true, parse_json, read_usage
from specspan.bridges.dialect import Attributes, Event, RecordedSpan
from specspan.bridges.recorded_content import NOT_RECORDED, ContentReader, content_gaps, finish_reasons
from specspan.bridges.recorded_messages import read_message, read_messages, read_parts
from specspan.call import Message, ModelCall, Request, Response
from specspan.record import conventions
from specspan.record import foreign_conventions as names

MessageReader: TypeAlias = Callable[[ContentReader, RecordedSpan], "tuple[Message, ...] | None"]
"""Function that reads the messages of one direction, or returns None if the span does not record them its way."""


def is_gen_ai_call(attributes: Attributes) -> bool:
    """Return whether attributes of the conventions are those of a model call."""
    operation = first_str(attributes, conventions.OPERATION_NAME)
    if operation is not None:
        return names.OPERATION_ALIASES.get(operation, operation) in names.MODEL_OPERATIONS
    return conventions.REQUEST_MODEL in attributes


def read_call(
    span: RecordedSpan, input_readers: Sequence[MessageReader], output_readers: Sequence[MessageReader], **known: Any
) -> ModelCall:
    """Read the call; the first reader of each direction that finds messages counts.

    ``known`` are fields of the request for which the dialect has other names.
    """
    span = _with_log_attributes(span)
    attributes, input_reader, output_reader = span.attributes, ContentReader(span), ContentReader(span)
    operation = first_str(attributes, conventions.OPERATION_NAME, names.OPENLLMETRY_REQUEST_TYPE) or "chat"
    instructions = attributes.get(conventions.SYSTEM_INSTRUCTIONS)
    fields: dict[str, Any] = {
        "provider": first_str(attributes, conventions.PROVIDER_NAME, names.SYSTEM) or "unknown",
        "operation": names.OPERATION_ALIASES.get(operation, operation),
        "model": first_str(attributes, conventions.REQUEST_MODEL),
        "system_instructions": read_parts(input_reader, instructions) if instructions else (),
        "tools": read_tools(attributes.get(conventions.TOOL_DEFINITIONS)),
        "streaming": is_any_true(attributes, *names.STREAMING),
        "server_address": first_str(attributes, conventions.SERVER_ADDRESS),
        "conversation": first_str(attributes, conventions.CONVERSATION_ID),
        **known,
    }
    request = Request(**fields, input=_read_first(input_readers, input_reader, span))
    response = _read_response(span, output_reader, output_readers, request)
    return ModelCall(request, response, gaps=content_gaps(input_reader, output_reader, response))


def _with_log_attributes(span: RecordedSpan) -> RecordedSpan:
    """Return the span with the attributes of the call's log record, where content is recorded there."""
    details = next((event for event in span.events if event.name == conventions.EVENT_OPERATION_DETAILS), None)
    if details is None:
        return span
    return replace(span, attributes={**details.attributes, **span.attributes})


def _read_response(
    span: RecordedSpan, reader: ContentReader, output_readers: Sequence[MessageReader], request: Request
) -> Response | None:
    """Read the response, or return None if the call failed without output."""
    attributes = span.attributes
    output: tuple[Message, ...] = ()
    if request.operation == "embeddings":  # the answer is numbers
        reader.missing_text = reader.missing_tool_calls = reader.missing_arguments = None
    else:
        output = _read_first(output_readers, reader, span)
    if span.failed and not output:
        return None
    return Response(
        id=first_str(attributes, conventions.RESPONSE_ID),
        model=first_str(attributes, conventions.RESPONSE_MODEL),
        output=output,
        finish_reasons=finish_reasons(output, as_strings(attributes.get(conventions.RESPONSE_FINISH_REASONS))),
        usage=read_usage(attributes, names.USAGE),
    )


def _read_first(
    message_readers: Sequence[MessageReader], reader: ContentReader, span: RecordedSpan
) -> tuple[Message, ...]:
    for read in message_readers:
        messages = read(reader, span)
        if messages is not None:
            return messages
    reader.note_missing(NOT_RECORDED)
    return ()


def read_tools(value: Any) -> tuple[Mapping[str, Any], ...]:
    """Return tool definitions from a list or its JSON."""
    definitions = parse_json(value) if isinstance(value, str) else value
    items = definitions if isinstance(definitions, (list, tuple)) else ()
    return tuple(each for each in items if isinstance(each, Mapping))


def attribute_reader(name: str, role: str) -> MessageReader:
    """Return a reader of messages in one attribute: JSON, or a list from the same process."""

    def read(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
        value = span.attributes.get(name)
        return None if value is None else read_messages(reader, value, role)

    return read


def event_readers(events: Callable[[RecordedSpan], Sequence[Event]]) -> tuple[MessageReader, MessageReader]:
    """Return readers of input and output messages that are recorded as one event each."""

    def read_input(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
        roles = names.EVENT_ROLES
        messages = [(_event_body(event), roles[event.name]) for event in events(span) if event.name in roles]
        return tuple(_read_event_message(reader, body, role) for body, role in messages) or None

    def read_output(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
        choices = [_event_body(event) for event in events(span) if event.name == names.EVENT_CHOICE]
        return tuple(_read_choice(reader, body) for body in choices) or None

    return read_input, read_output


def _event_body(event: Event) -> Attributes:
    """Return the body of a log event, or a span event's attributes or the JSON in one of them."""
    if event.body is not None:
        return as_mapping(event.body)
    content = as_mapping(event.attributes.get(names.EVENT_CONTENT))
    return content or {
        name: value for name, value in event.attributes.items() if not name.startswith(names.EVENT_PREFIX)
    }


def _read_choice(reader: ContentReader, body: Attributes) -> Message:
    message = body.get("message")
    inner = as_mapping(message) or {"content": message if isinstance(message, str) else body.get("content")}
    return _read_event_message(reader, {**inner, "finish_reason": body.get("finish_reason")}, "assistant")


def _read_event_message(reader: ContentReader, body: Attributes, role: str) -> Message:
    """Read a message; without content it may be empty or unrecorded, which its tool calls' arguments tell."""
    fields = {**body, "tool_call_id": body.get("tool_call_id") or body.get("id")}
    message = read_message(reader, fields, role)
    if reader.missing_arguments is not None and body.get("content") is None:
        reader.note_missing(NOT_RECORDED, "text")
    return message


def _events_in_attribute(span: RecordedSpan) -> list[Event]:
    events = parse_json(span.attributes.get(names.LOGFIRE_EVENTS))
    return [
        Event(str(each.get(names.EVENT_NAME)), each, each)
        for each in (events if isinstance(events, list) else ())
        if isinstance(each, Mapping)
    ]


EVENT_READERS = event_readers(lambda span: span.events)
EVENTS_ATTRIBUTE_READERS = event_readers(_events_in_attribute)
"""Readers of events as JSON in the attribute `events`, which Logfire and Pydantic AI write."""
ATTRIBUTE_READERS = (
    attribute_reader(conventions.INPUT_MESSAGES, "user"),
    attribute_reader(conventions.OUTPUT_MESSAGES, "assistant"),
)
