"""Converse and ConverseStream: one shape for every model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats import converse as _converse
from specspan.instrument.formats.bodies import parts_only
from specspan.instrument.formats.converse import ConverseAccumulator, closing_events, cut, deltas
from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.providers.bedrock.client import (
    PROVIDER,
    call_params,
    common_fields,
    read_parameters,
    with_params,
)


def _build_request(invocation: Invocation) -> Request:
    given = call_params(invocation)
    return Request(
        parameters=read_parameters(given.get("additionalModelRequestFields"), given.get("inferenceConfig")),
        input=tuple([turn.to_message() for turn in _converse.input_turns(given)]),
        system_instructions=parts_only(_converse.system_parts(given)),
        tools=_converse.tool_definitions(given),
        output_type=_output_type(as_mapping(given.get("outputConfig"))),
        **common_fields(invocation),
    )


def _output_type(config: Mapping[str, Any]) -> str | None:
    """``gen_ai.output.type``: JSON where a schema was asked for."""
    return "json" if as_mapping(config.get("textFormat")).get("type") == "json_schema" else None


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    return with_params(invocation, _converse.edit_request(call_params(invocation), edits))


def _read_response(answer: Any) -> Response:
    return _converse.read_response(as_mapping(answer))


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
    edit_response=_converse.edit_response,
    accumulator=ConverseAccumulator,
    deltas=deltas,
    cut=cut,
    closing=closing_events,
    is_last=lambda event: "metadata" in event,
    stream_in=lambda answer: answer.get("stream"),
    put_stream=_put_stream,
)
