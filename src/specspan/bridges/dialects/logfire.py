"""Logfire's integrations of model clients: the conventions' JSON, or bodies of request and response in older versions.

A streamed call has a span that ends as the stream begins, and a log of the whole answer; the log is read as the call.

Source: https://logfire.pydantic.dev/docs/integrations/llms/openai/
"""

from __future__ import annotations

from specspan.bridges.attribute_values import as_mapping, first_str, is_any_true
from specspan.bridges.call_reader import ATTRIBUTE_READERS, EVENTS_ATTRIBUTE_READERS, read_call
from specspan.bridges.dialect import Dialect, RecordedSpan, response_id
from specspan.bridges.recorded_content import ContentReader
from specspan.bridges.recorded_messages import read_input, read_output
from specspan.call import Message, ModelCall
from specspan.record import conventions
from specspan.record import foreign_conventions as names

_ANSWER_ATTRIBUTES = (
    names.LOGFIRE_RESPONSE,
    conventions.OUTPUT_MESSAGES,
    conventions.RESPONSE_ID,
    conventions.USAGE_INPUT_TOKENS,
)


def _matches(span: RecordedSpan) -> bool:
    return names.LOGFIRE_REQUEST in span.attributes and (
        span.scope.startswith(names.LOGFIRE_SCOPE_PREFIX) or names.LOGFIRE_SPAN_TYPE in span.attributes
    )


def _read(span: RecordedSpan) -> ModelCall | None:
    attributes, request = span.attributes, as_mapping(span.attributes.get(names.LOGFIRE_REQUEST))
    is_log = attributes.get(names.LOGFIRE_SPAN_TYPE) == names.LOGFIRE_LOG
    if "model" not in request and conventions.REQUEST_MODEL not in attributes:
        return None
    if attributes.get(names.LOGFIRE_SPAN_TYPE) == names.LOGFIRE_PENDING or not (span.failed or _has_answer(span)):
        return None
    return read_call(
        span,
        (ATTRIBUTE_READERS[0], EVENTS_ATTRIBUTE_READERS[0], _read_request_data),
        (ATTRIBUTE_READERS[1], EVENTS_ATTRIBUTE_READERS[1], _read_response_data),
        model=first_str(attributes, conventions.REQUEST_MODEL) or first_str(request, "model"),
        streaming=is_log or is_any_true(request, "stream"),
    )


def _has_answer(span: RecordedSpan) -> bool:
    return any(name in span.attributes for name in _ANSWER_ATTRIBUTES)


def _read_request_data(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
    request = reader.parse_json(span.attributes[names.LOGFIRE_REQUEST])
    return read_input(reader, request) if isinstance(request, dict) and request.keys() - {"model", "stream"} else None


def _read_response_data(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
    response = span.attributes.get(names.LOGFIRE_RESPONSE)
    return None if response is None else read_output(reader, reader.parse_json(response))


def _duration_s(span: RecordedSpan) -> float | None:
    """Return the duration of the stream, which its log records."""
    duration = span.attributes.get(names.LOGFIRE_DURATION)
    return float(duration) if isinstance(duration, (int, float)) else None


def _call_id(span: RecordedSpan) -> str | None:
    """Return the response id or, for the log of a stream, the recorded content, which both spans share."""
    contents = [
        span.attributes.get(name) for name in (names.LOGFIRE_REQUEST, conventions.INPUT_MESSAGES, names.LOGFIRE_EVENTS)
    ]
    return response_id(span) or "".join(each for each in contents if isinstance(each, str))


DIALECT = Dialect("logfire", _matches, _read, duration_s=_duration_s, call_id=_call_id)
