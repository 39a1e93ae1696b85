"""OpenTelemetry's GenAI conventions, which its own instrumentations and most other libraries write.

Content is in `gen_ai.input.messages` and `gen_ai.output.messages` on the span, in a log record, or in the arguments of
a completion hook; in older versions in one event for each message.
"""

from __future__ import annotations

from specspan.bridges.call_reader import (
    ATTRIBUTE_READERS,
    EVENT_READERS,
    MessageReader,
    attribute_reader,
    is_gen_ai_call,
    read_call,
)
from specspan.bridges.dialect import Dialect, RecordedSpan
from specspan.bridges.recorded_content import ContentReader
from specspan.call import Message, ModelCall
from specspan.record import foreign_conventions as names


def _event_attribute_reader(name: str, attribute: str, role: str) -> MessageReader:
    """Return a reader of semantic conventions 1.27: all messages of one direction as JSON in one span event."""

    def read(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
        event = next((event for event in span.events if event.name == name), None)
        return None if event is None else attribute_reader(attribute, role)(reader, RecordedSpan(event.attributes))

    return read


_INPUT_READERS = (
    ATTRIBUTE_READERS[0],
    EVENT_READERS[0],
    _event_attribute_reader(names.EVENT_CONTENT_PROMPT, names.PROMPT, "user"),
)
_OUTPUT_READERS = (
    ATTRIBUTE_READERS[1],
    EVENT_READERS[1],
    _event_attribute_reader(names.EVENT_CONTENT_COMPLETION, names.COMPLETION, "assistant"),
)


def _read(span: RecordedSpan) -> ModelCall:
    return read_call(span, _INPUT_READERS, _OUTPUT_READERS)


DIALECT = Dialect("gen_ai", lambda span: is_gen_ai_call(span.attributes), _read, general=True)
