"""Converse and ConverseStream: one shape for all models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats import bedrock_converse
from specspan.instrument.formats.bedrock_converse_stream import (
    ConverseAccumulator,
    closing_events,
    cut,
    deltas,
    part_of,
)
from specspan.instrument.formats.bodies import parts_only
from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.formats.known_converse import CONVERSE, CONVERSE_EVENT
from specspan.instrument.providers.bedrock.client import (
    PROVIDER,
    call_params,
    common_fields,
    keep_event_stream,
    read_parameters,
    with_params,
)


def _build_request(invocation: Invocation) -> Request:
    arguments = call_params(invocation)
    return Request(
        parameters=read_parameters(arguments.get("additionalModelRequestFields"), arguments.get("inferenceConfig")),
        input=tuple([turn.to_message() for turn in bedrock_converse.input_turns(arguments)]),
        system_instructions=parts_only(bedrock_converse.system_parts(arguments)),
        tools=bedrock_converse.tool_definitions(arguments),
        output_type=_output_type(as_mapping(arguments.get("outputConfig"))),
        **common_fields(invocation),
    )


def _output_type(config: Mapping[str, Any]) -> str | None:
    """Return ``gen_ai.output.type``, which is JSON if the request has a schema."""
    return "json" if as_mapping(config.get("textFormat")).get("type") == "json_schema" else None


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    return with_params(invocation, bedrock_converse.edit_request(call_params(invocation), edits))


def _read_response(answer: Any) -> Response:
    return bedrock_converse.read_response(as_mapping(answer))


def _put_stream(answer: Any, stream: Any) -> Any:
    answer["stream"] = stream
    return answer


ADAPTER = Adapter(
    provider=PROVIDER,
    package="botocore",
    install="specspan[bedrock]",
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=bedrock_converse.edit_response,
    fields=CONVERSE,
    streaming=Streaming(
        fields=CONVERSE_EVENT,
        accumulator=ConverseAccumulator,
        deltas=deltas,
        part_of=part_of,
        cut=cut,
        find_stream=lambda answer: answer.get("stream"),
        keep=keep_event_stream,
        put_stream=_put_stream,
        closing_events=closing_events,
        is_last=lambda event: "metadata" in event,
    ),
)
