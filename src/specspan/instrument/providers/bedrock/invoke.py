"""InvokeModel and InvokeModelWithResponseStream: a body of JSON in whatever shape the model's maker gave it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from specspan.call import NOT_COUNTED, Request, Response, Usage
from specspan.instrument.adapter import Accumulator, Adapter, Edits, Invocation
from specspan.instrument.formats.fields import Fields, fields, listed, not_understood
from specspan.instrument.providers.bedrock.body_streams import is_body, kept, read_ahead, with_bytes
from specspan.instrument.providers.bedrock.client import PROVIDER, asked, parameters, params_of, with_params
from specspan.instrument.providers.bedrock.models import answered_in, asked_in

_METRICS = "amazon-bedrock-invocationMetrics"


def _prepare(invocation: Invocation) -> Invocation:
    given = params_of(invocation)
    body: Any = given.get("body")
    return with_params(invocation, {**given, "body": body.read()}) if hasattr(body, "read") else invocation


def _request(invocation: Invocation) -> Request:
    given = params_of(invocation)
    body = _parsed(given["body"]) if given.get("body") else None
    body = body or {}  # one that is asked with a stored prompt has none
    shape = asked_in(body)
    return Request(
        operation="embeddings" if "embed" in str(given.get("modelId")) else shape.operation,
        parameters=parameters(body, body.get("inferenceConfig"), body.get("textGenerationConfig")),
        input=tuple(shape.input(body)),
        system_instructions=shape.system(body),
        tools=tuple(listed(body.get("tools") or fields(body.get("toolConfig")).get("tools"))),
        **asked(invocation),
    )


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    given = params_of(invocation)
    body = json.loads(given["body"])
    return with_params(invocation, {**given, "body": _bytes(asked_in(body).edit_request(body, edits))})


def _response(answer: Any) -> Response | None:
    body = _body(answer)
    if body is None:
        return None
    response = answered_in(body).response(body)
    return response if response.usage != NOT_COUNTED else replace(response, usage=_metered(answer, body))


def _edit_response(answer: Any, edits: Edits) -> Any:
    body = json.loads(kept(answer["body"]) or "")
    return {**answer, "body": with_bytes(answer["body"], _bytes(answered_in(body).edit_response(body, edits)))}


def _body(answer: Any) -> dict[str, Any] | None:
    """What an answer says: in its bytes, or as an accumulator made it."""
    body = answer.get("body")
    return body if isinstance(body, dict) else _parsed(kept(body))


def _parsed(data: Any) -> dict[str, Any] | None:
    """A JSON object; None of anything else."""
    try:
        found = json.loads(data)
    except (TypeError, ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    not_understood()
    return None


def _bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


def _metered(answer: Any, body: Fields) -> Usage:
    """What the service counted of a model that says nothing of its tokens."""
    metrics = fields(body.get(_METRICS))
    headers = fields(fields(answer.get("ResponseMetadata")).get("HTTPHeaders"))
    return Usage(
        _number(metrics.get("inputTokenCount", headers.get("x-amzn-bedrock-input-token-count"))),
        _number(metrics.get("outputTokenCount", headers.get("x-amzn-bedrock-output-token-count"))),
    )


def _number(value: Any) -> int | None:
    return int(value) if str(value).isdigit() else None


def _keep(answer: Any) -> Any:
    if is_body(answer.get("body")):
        read_ahead(answer["body"])
    return answer


def _piece(event: Any) -> dict[str, Any] | None:
    """What one event of a stream says; None where it is none of the model's."""
    chunk = fields(event).get("chunk")
    return None if chunk is None else _parsed(fields(chunk).get("bytes"))


class InvokeAccumulator:
    """Folds events into what stands for an answer, in the shape in which they come."""

    __slots__ = ("_metrics", "_request", "_seen", "_shape_name")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._shape_name = ""
        self._seen: Accumulator | None = None
        self._metrics: Fields = {}

    @property
    def finished(self) -> bool:
        return self._seen is not None and self._seen.finished

    def add(self, event: Any) -> None:
        piece = _piece(event)
        if piece is None:
            return
        if self._seen is None:
            shape = answered_in(piece)
            self._shape_name, self._seen = shape.name, shape.accumulator(self._request)
        self._metrics = piece.pop(_METRICS, self._metrics)
        self._seen.add(piece)

    def result(self) -> dict[str, Any]:
        body = None if self._seen is None else {**fields(self._seen.result()), _METRICS: self._metrics}
        return {"body": body}

    def closing(self, piece: Fields) -> Iterator[Any]:
        """What follows the piece in which a stream was cut."""
        shape = answered_in(piece)
        if shape.name == self._shape_name:
            yield from shape.closing(self._seen, piece)


def _deltas(event: Any) -> Iterator[tuple[int, str]]:
    piece = _piece(event)
    if piece is not None:
        yield from answered_in(piece).deltas(piece)


def _cut(event: Any, choice: int, text: str) -> Any:
    piece = _piece(event) or {}
    return _with_piece(event, answered_in(piece).cut(piece, choice, text))


def _closing(seen: Any, event: Any) -> Iterator[Any]:
    for piece in seen.closing(_piece(event) or {}):
        yield _with_piece(event, piece)


def _with_piece(event: Any, piece: Any) -> Any:
    return {**event, "chunk": {**event["chunk"], "bytes": _bytes(piece)}}


def _stream_in(answer: Any) -> Any | None:
    body = answer.get("body")
    return body if isinstance(body, _event_stream()) else None


@lru_cache(maxsize=1)
def _event_stream() -> type:
    from botocore.eventstream import EventStream

    found: type = EventStream
    return found


def _put_stream(answer: Any, stream: Any) -> Any:
    answer["body"] = stream
    return answer


ADAPTER = Adapter(
    provider=PROVIDER,
    package="botocore",
    install="specspan[bedrock]",
    prepare=_prepare,
    keep=_keep,
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    accumulator=InvokeAccumulator,
    deltas=_deltas,
    cut=_cut,
    closing=_closing,
    is_last=lambda event: _METRICS in (_piece(event) or ()),
    stream_in=_stream_in,
    put_stream=_put_stream,
)
