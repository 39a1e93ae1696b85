"""OpenLLMetry (Traceloop) before it wrote the conventions' JSON: numbered attributes for every value.

Source: `gen_ai.prompt.0.role`, `gen_ai.prompt.0.content` and `gen_ai.completion.0.content` of
https://www.traceloop.com/docs/openllmetry/contributing/semantic-conventions
"""

from __future__ import annotations

from typing import Any

from specspan.bridges.attribute_values import first_str, item_prefixes, parse_json
from specspan.bridges.call_reader import ATTRIBUTE_READERS, MessageReader, read_call
from specspan.bridges.dialect import Attributes, Dialect, RecordedSpan
from specspan.bridges.recorded_content import ContentReader
from specspan.bridges.recorded_messages import read_message
from specspan.call import Message, ModelCall
from specspan.record import foreign_conventions as names

_REQUEST_TYPES = ("chat", "completion", "embedding")
_FUNCTION_FIELDS = ("name", "description", "parameters")


def _matches(span: RecordedSpan) -> bool:
    """Return whether the span has a request type, the only attribute of its own that every call has."""
    return span.attributes.get(names.OPENLLMETRY_REQUEST_TYPE) in _REQUEST_TYPES


def _read(span: RecordedSpan) -> ModelCall:
    attributes = span.attributes
    definitions = tuple(
        {field: attributes[item + field] for field in _FUNCTION_FIELDS if item + field in attributes}
        for item in item_prefixes(attributes, names.OPENLLMETRY_FUNCTIONS_PREFIX)
    )
    tools = {"tools": definitions} if definitions else {}
    return read_call(span, (ATTRIBUTE_READERS[0], _INPUT_READER), (ATTRIBUTE_READERS[1], _OUTPUT_READER), **tools)


def _numbered_reader(prefix: str, role: str) -> MessageReader:
    def read(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
        items = [_as_chat_message(reader, span.attributes, item) for item in item_prefixes(span.attributes, prefix)]
        return tuple(read_message(reader, item, role) for item in items) or None

    return read


def _as_chat_message(reader: ContentReader, attributes: Attributes, prefix: str) -> dict[str, Any]:
    """Return a message in the shape of a chat completion."""
    content = attributes.get(prefix + "content")
    calls = [
        {
            "id": first_str(attributes, call + "id"),
            "function": {
                "name": reader.read_text(attributes.get(call + "name"), "tool_calls"),
                "arguments": attributes.get(call + "arguments"),
            },
        }
        for call in item_prefixes(attributes, prefix + "tool_calls.")
    ]
    return {
        "role": first_str(attributes, prefix + "role"),
        "content": _parse_content_list(content) or content,
        "tool_call_id": first_str(attributes, prefix + "tool_call_id"),
        "finish_reason": first_str(attributes, prefix + "finish_reason"),
        **({"tool_calls": calls} if calls else {}),
    }


def _parse_content_list(content: Any) -> list[Any] | None:
    """Return a content list that was recorded as its JSON."""
    value = parse_json(content) if isinstance(content, str) and content.startswith("[{") else None
    items = value if isinstance(value, list) else ()
    return list(items) if items and all(isinstance(item, dict) and "type" in item for item in items) else None


_INPUT_READER = _numbered_reader(names.OPENLLMETRY_PROMPT_PREFIX, "user")
_OUTPUT_READER = _numbered_reader(names.OPENLLMETRY_COMPLETION_PREFIX, "assistant")
DIALECT = Dialect("openllmetry", _matches, _read)
