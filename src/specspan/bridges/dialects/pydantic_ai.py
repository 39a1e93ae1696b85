"""Pydantic AI in all versions of its format: log events, events as JSON, the conventions' messages.

Spans of agents hold whole conversations; the model calls in them have spans of their own, which are decided.

Source: https://ai.pydantic.dev/logfire/#data-format
"""

from __future__ import annotations

from specspan.bridges.call_reader import (
    ATTRIBUTE_READERS,
    EVENT_READERS,
    EVENTS_ATTRIBUTE_READERS,
    is_gen_ai_call,
    read_call,
)
from specspan.bridges.dialect import Dialect, RecordedSpan
from specspan.call import ModelCall
from specspan.record import foreign_conventions as names


def _read(span: RecordedSpan) -> ModelCall | None:
    if not is_gen_ai_call(span.attributes) or any(name in span.attributes for name in names.PYDANTIC_AI_CONVERSATION):
        return None
    input_readers, output_readers = zip(ATTRIBUTE_READERS, EVENTS_ATTRIBUTE_READERS, EVENT_READERS, strict=True)
    return read_call(span, input_readers, output_readers)


DIALECT = Dialect("pydantic_ai", lambda span: span.scope == names.PYDANTIC_AI_SCOPE, _read)
