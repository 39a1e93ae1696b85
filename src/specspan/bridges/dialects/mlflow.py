"""MLflow: inputs and outputs as JSON, in the shape of the traced client.

All attributes of MLflow are JSON, even names of kinds.

Source: https://mlflow.org/docs/latest/genai/tracing/opentelemetry/
"""

from __future__ import annotations

from specspan.bridges import recorded_messages as bodies
from specspan.bridges.attribute_values import as_mapping, first_str, parse_json, read_usage
from specspan.bridges.call_reader import read_tools
from specspan.bridges.dialect import Attributes, Dialect, RecordedSpan
from specspan.bridges.recorded_content import NOT_RECORDED, ContentReader, content_gaps, finish_reasons
from specspan.call import Message, ModelCall, Request, Response
from specspan.record import foreign_conventions as names

_OPERATIONS = {"CHAT_MODEL": "chat", "LLM": "chat", "EMBEDDING": "embeddings"}
_USAGE_NAMES = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_input_tokens": ("cache_read_input_tokens",),
    "cache_write_input_tokens": ("cache_creation_input_tokens",),
}


def _read(span: RecordedSpan) -> ModelCall | None:
    attributes, input_reader, output_reader = span.attributes, ContentReader(span), ContentReader(span)
    operation = _OPERATIONS.get(_json_str(attributes, names.MLFLOW_SPAN_TYPE) or "")
    if operation is None:
        return None
    inputs = input_reader.parse_json(attributes.get(names.MLFLOW_INPUTS))
    outputs = output_reader.parse_json(attributes.get(names.MLFLOW_OUTPUTS)) if operation == "chat" else None
    if inputs is None:
        input_reader.note_missing(NOT_RECORDED)
    body = as_mapping(inputs)
    request = Request(
        provider=_json_str(attributes, names.MLFLOW_PROVIDER)
        or _json_str(attributes, names.MLFLOW_MESSAGE_FORMAT)
        or "unknown",
        operation=operation,
        model=_json_str(attributes, names.MLFLOW_MODEL) or first_str(body, "model"),
        input=bodies.read_input(input_reader, inputs) if inputs is not None else (),
        tools=read_tools(attributes.get(names.MLFLOW_TOOLS)) or read_tools(body.get("tools")),
        streaming=body.get("stream") is True,
    )
    output = _read_output(output_reader, outputs) if operation == "chat" else ()
    response = None if span.failed and not output else _read_response(attributes, as_mapping(outputs), output)
    return ModelCall(request, response, gaps=content_gaps(input_reader, output_reader, response))


def _read_output(output_reader: ContentReader, outputs: object) -> tuple[Message, ...]:
    if outputs is None:
        output_reader.note_missing(NOT_RECORDED)
        return ()
    return bodies.read_output(output_reader, outputs)


def _read_response(attributes: Attributes, body: Attributes, output: tuple[Message, ...]) -> Response:
    return Response(
        id=first_str(body, "id"),
        model=first_str(body, "model"),
        output=output,
        finish_reasons=finish_reasons(output),
        usage=read_usage(as_mapping(attributes.get(names.MLFLOW_USAGE)), _USAGE_NAMES),
    )


def _json_str(attributes: Attributes, name: str) -> str | None:
    """Return a text attribute, which may be JSON."""
    value = attributes.get(name)
    return first_str({name: parse_json(value)}, name) or first_str(attributes, name)


DIALECT = Dialect("mlflow", lambda span: names.MLFLOW_SPAN_TYPE in span.attributes, _read)
