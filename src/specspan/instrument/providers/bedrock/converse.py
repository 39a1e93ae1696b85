"""Converse and ConverseStream: one shape for every model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats import converse as _converse
from specspan.instrument.formats.bodies import parts
from specspan.instrument.formats.converse import ConverseAccumulator, closing, cut, deltas
from specspan.instrument.formats.fields import fields
from specspan.instrument.providers.bedrock.client import PROVIDER, asked, parameters, params_of, with_params


def _request(invocation: Invocation) -> Request:
    given = params_of(invocation)
    return Request(
        parameters=parameters(given.get("additionalModelRequestFields"), given.get("inferenceConfig")),
        input=tuple([turn.message() for turn in _converse.turns(given)]),
        system_instructions=parts(_converse.system(given)),
        tools=_converse.tools(given),
        output_type=_output_type(fields(given.get("outputConfig"))),
        **asked(invocation),
    )


def _output_type(config: Mapping[str, Any]) -> str | None:
    """``gen_ai.output.type``: JSON where a schema was asked for."""
    return "json" if fields(config.get("textFormat")).get("type") == "json_schema" else None


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    return with_params(invocation, _converse.edit_request(params_of(invocation), edits))


def _response(answer: Any) -> Response:
    return _converse.response(fields(answer))


def _put_stream(answer: Any, stream: Any) -> Any:
    answer["stream"] = stream
    return answer


ADAPTER = Adapter(
    provider=PROVIDER,
    package="botocore",
    install="specspan[bedrock]",
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_converse.edit_response,
    accumulator=ConverseAccumulator,
    deltas=deltas,
    cut=cut,
    closing=closing,
    is_last=lambda event: "metadata" in event,
    stream_in=lambda answer: answer.get("stream"),
    put_stream=_put_stream,
)
