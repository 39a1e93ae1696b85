"""LangSmith's OpenTelemetry output: inputs and outputs of a run as JSON, in the shape of the traced library.

Source: https://docs.langchain.com/langsmith/trace-with-opentelemetry
"""

from __future__ import annotations

from dataclasses import replace

from specspan.bridges.attribute_values import as_mapping, first_str, read_usage
from specspan.bridges.call_reader import ATTRIBUTE_READERS, read_call, read_tools
from specspan.bridges.dialect import Attributes, Dialect, RecordedSpan
from specspan.bridges.recorded_content import ContentReader
from specspan.bridges.recorded_messages import read_input, read_output
from specspan.call import NOT_COUNTED, Message, ModelCall, Usage
from specspan.record import conventions
from specspan.record import foreign_conventions as names

_USAGE_NAMES = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_input_tokens": ("cache_read",),
    "cache_write_input_tokens": ("cache_write",),
    "reasoning_output_tokens": ("reasoning",),
}
_OPERATIONS = {"llm": "chat", "embedding": "embeddings"}


def _read(span: RecordedSpan) -> ModelCall | None:
    """Read the call of a model run; prompts and retrievers have operation names as well, so the kind of run decides."""
    attributes = span.attributes
    operation = _OPERATIONS.get(str(attributes[names.LANGSMITH_SPAN_KIND]).lower())
    if operation is None:
        return None
    provider = first_str(attributes, names.LANGSMITH_PROVIDER, conventions.PROVIDER_NAME, names.SYSTEM)
    tools = read_tools(attributes.get(conventions.TOOL_DEFINITIONS))
    prompt = as_mapping(attributes.get(names.PROMPT))
    call = read_call(
        span,
        (ATTRIBUTE_READERS[0], _read_prompt),
        (ATTRIBUTE_READERS[1], _read_completion),
        provider=provider or "unknown",
        operation=operation,
        tools=tools or read_tools(prompt.get("tools")),
    )
    usage = _read_langchain_usage(as_mapping(attributes.get(names.LANGSMITH_USAGE)))
    if call.response is None or usage is NOT_COUNTED:
        return call
    return replace(call, response=replace(call.response, usage=usage))


def _read_langchain_usage(metadata: Attributes) -> Usage:
    """Read LangChain's token counts, which are more detailed than the conventions' attributes beside them."""
    input_details = as_mapping(metadata.get("input_token_details"))
    output_details = as_mapping(metadata.get("output_token_details"))
    counts = {
        **metadata,
        "cache_read": input_details.get("cache_read"),
        "cache_write": input_details.get("cache_creation"),
        "reasoning": output_details.get("reasoning"),
    }
    return read_usage(counts, _USAGE_NAMES)


def _read_prompt(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
    prompt = span.attributes.get(names.PROMPT)
    return None if prompt is None else read_input(reader, reader.parse_json(prompt))


def _read_completion(reader: ContentReader, span: RecordedSpan) -> tuple[Message, ...] | None:
    completion = span.attributes.get(names.COMPLETION)
    return None if completion is None else read_output(reader, reader.parse_json(completion))


DIALECT = Dialect("langsmith", lambda span: names.LANGSMITH_SPAN_KIND in span.attributes, _read)
