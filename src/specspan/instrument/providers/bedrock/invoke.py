"""InvokeModel and InvokeModelWithResponseStream: JSON bodies in the format of the model's maker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from specspan._support.interruption import raise_interruption
from specspan.call import Message, Request, Response, Text, Unknown, Usage
from specspan.instrument.adapter import Accumulator, Adapter, Delta, Edits, Invocation, Streaming
from specspan.instrument.formats.fields import Fields, as_count, as_list, as_mapping, count_not_understood
from specspan.instrument.formats.known_bodies import REPEATED
from specspan.instrument.formats.known_fields import AnswerFields, by_fields
from specspan.instrument.formats.raw_response import all_fields
from specspan.instrument.providers.bedrock.body_streams import (
    buffer_body,
    buffered_bytes,
    is_event_stream,
    is_streaming_body,
    with_bytes,
)
from specspan.instrument.providers.bedrock.client import (
    PROVIDER,
    call_params,
    common_fields,
    keep_event_stream,
    read_parameters,
    with_params,
)
from specspan.instrument.providers.bedrock.models import request_format, response_format

_METRICS = "amazon-bedrock-invocationMetrics"
_UNREAD = "has_unread_pieces"
"""Field in which the accumulator notes that a piece of the answer could not be read."""


def _buffer_request(invocation: Invocation) -> Invocation:
    arguments = call_params(invocation)
    body: Any = arguments.get("body")
    return with_params(invocation, {**arguments, "body": body.read()}) if hasattr(body, "read") else invocation


def _build_request(invocation: Invocation) -> Request:
    arguments = call_params(invocation)
    body = _parse_object(arguments["body"]) if arguments.get("body") else None
    body = body or {}  # a call with a stored prompt has no body
    shape = request_format(body)
    return Request(
        operation="embeddings" if "embed" in str(arguments.get("modelId")) else shape.operation,
        parameters=read_parameters(body, body.get("inferenceConfig"), body.get("textGenerationConfig")),
        input=tuple(shape.input(body)),
        system_instructions=shape.system(body),
        tools=tuple(as_list(body.get("tools") or as_mapping(body.get("toolConfig")).get("tools"))),
        **common_fields(invocation),
    )


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = call_params(invocation)
    body = json.loads(arguments["body"])
    return with_params(
        invocation, {**arguments, "body": _to_json_bytes(request_format(body).edit_request(body, edits))}
    )


def _read_response(answer: Any) -> Response | None:
    body = _answer_body(answer)
    if body is None:
        return _read_broken_body(answer)
    if not isinstance(body, dict):
        count_not_understood()
        parts = (Text(body),) if isinstance(body, str) else ()
        return Response(output=(Message("assistant", (*parts, Unknown("body"))),), usage=_metered_usage(answer, {}))
    response = response_format(body).response(body)
    if answer.get(_UNREAD):
        response = replace(response, output=(*response.output, Message("assistant", (Unknown("chunk"),))))
    return replace(response, usage=_read_usage(answer, body, response))


def _read_broken_body(answer: Any) -> Response | None:
    """Return a body that is no JSON as the text that it is; None for an empty one."""
    text = (buffered_bytes(answer.get("body")) or b"").decode("utf-8", "replace")
    if text.strip() in ("", "null"):
        return None
    return Response(output=(Message("assistant", (Text(text), Unknown("body"))),), usage=_metered_usage(answer, {}))


def _read_usage(answer: Any, body: Fields, response: Response) -> Usage:
    """Return the token counts of a response, and those of the service where the model's own cannot be used."""
    usage, metered = response.usage, _metered_usage(answer, body)
    if usage.input_tokens is None:
        usage = replace(usage, input_tokens=metered.input_tokens)
    if usage.output_tokens is None and response.output:  # an embedding has none
        usage = replace(usage, output_tokens=metered.output_tokens)
    return usage


def _edit_response(answer: Any, edits: Edits) -> Any:
    body = json.loads(buffered_bytes(answer["body"]) or "")
    edited = edits["/output/0/parts/0"] if isinstance(body, str) else response_format(body).edit_response(body, edits)
    return {**answer, "body": with_bytes(answer["body"], _to_json_bytes(edited))}


def _answer_body(answer: Any) -> Any:
    """Return the body of an answer: parsed from its bytes, or built by an accumulator; None if it is not JSON."""
    body = answer.get("body")
    return body if isinstance(body, dict) else _parse(buffered_bytes(body))


def _parse(data: Any) -> Any:
    try:
        value = json.loads(data)
    except (TypeError, ValueError, RecursionError) as error:
        raise_interruption(error)
        value = None
    if value is None:
        count_not_understood()
    return value


def _parse_object(data: Any) -> dict[str, Any] | None:
    """Return a JSON object, or None for anything else."""
    value = _parse(data)
    if value is None or isinstance(value, dict):
        return value
    count_not_understood()
    return None


def _to_json_bytes(body: Any) -> bytes:
    return json.dumps(body).encode()


def _metered_usage(answer: Any, body: Fields) -> Usage:
    """Return the service's own token counts, for a model that sends none."""
    metrics = as_mapping(body.get(_METRICS))
    headers = as_mapping(as_mapping(answer.get("ResponseMetadata")).get("HTTPHeaders"))
    return Usage(
        _as_int(metrics.get("inputTokenCount", headers.get("x-amzn-bedrock-input-token-count"))),
        _as_int(metrics.get("outputTokenCount", headers.get("x-amzn-bedrock-output-token-count"))),
    )


def _as_int(value: Any) -> int | None:
    return int(value) if isinstance(value, str) and value.isdecimal() else as_count(value)


def _buffer_answer(answer: Any) -> Any:
    if is_streaming_body(answer.get("body")):
        buffer_body(answer["body"])
    return answer


def _event_object(event: Any) -> dict[str, Any] | None:
    """Return the JSON object of one stream event, or None if the event is not the model's."""
    chunk = as_mapping(event).get("chunk")
    return None if chunk is None else _parse_object(as_mapping(chunk).get("bytes"))


class InvokeAccumulator:
    """Accumulator that builds an answer from stream events, in the body format of the first one."""

    __slots__ = ("_format_name", "_has_text", "_is_unread", "_metrics", "_request", "_seen")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._format_name = ""
        self._has_text = False
        self._is_unread = False
        self._seen: Accumulator | None = None
        self._metrics: Fields = {}

    @property
    def finished(self) -> bool:
        return self._seen is not None and self._seen.finished

    def add(self, event: Any) -> None:
        piece = _event_object(event)
        if piece is None:
            self._is_unread = self._is_unread or "chunk" in event
            return
        shape = response_format(piece)
        if self._seen is None or (shape.name != self._format_name and not self._has_text):
            self._format_name, self._seen = shape.name, shape.accumulator(self._request)
        self._metrics = piece.pop(_METRICS, self._metrics)
        self._has_text = self._has_text or any(delta[1] for delta in shape.deltas(piece))
        self._is_unread = self._is_unread or shape.name != self._format_name
        self._seen.add(piece)

    def result(self) -> dict[str, Any]:
        body = None if self._seen is None else {**as_mapping(self._seen.result()), _METRICS: self._metrics}
        return {"body": body, _UNREAD: self._is_unread}

    def closing_events(self, piece: Fields) -> Iterator[Any]:
        """Yield the pieces that follow the one at which a stream was cut."""
        shape = response_format(piece)
        if shape.name == self._format_name:
            yield from shape.closing_events(self._seen, piece)


def _deltas(event: Any) -> Iterator[Delta]:
    piece = _event_object(event)
    if piece is not None:
        yield from response_format(piece).deltas(piece)


def _cut(event: Any, choice: int, text: str) -> Any:
    piece = _event_object(event) or {}
    return _with_event_object(event, response_format(piece).cut(piece, choice, text))


def _closing_events(accumulator: Any, event: Any) -> Iterator[Any]:
    for piece in accumulator.closing_events(_event_object(event) or {}):
        yield _with_event_object(event, piece)


def _with_event_object(event: Any, piece: Any) -> Any:
    return {**event, "chunk": {**event["chunk"], "bytes": _to_json_bytes(piece)}}


def _find_stream(answer: Any) -> Any | None:
    body = answer.get("body")
    return body if is_event_stream(body) else None


def _put_stream(answer: Any, stream: Any) -> Any:
    answer["body"] = stream
    return answer


def _all_fields(answer: Any) -> Any:
    """Return the value of a body, with the fields that it repeats; None where it is no JSON, or a text alone."""
    value = _value(buffered_bytes(answer.get("body")))
    return None if isinstance(value, str) else value


def _all_fields_of_event(event: Any) -> Any:
    return _value(as_mapping(as_mapping(event).get("chunk")).get("bytes"))


def _value(data: Any) -> Any:
    try:
        return all_fields(data)
    except (TypeError, ValueError, RecursionError) as error:  # it is read as the text that it is
        raise_interruption(error)
        return None


def _edit_body(answer: Any, edit: Callable[[Any], Any]) -> Any:
    return {**answer, "body": with_bytes(answer["body"], _to_json_bytes(edit(_answer_body(answer))))}


def _edit_event(event: Any, edit: Callable[[Any], Any]) -> Any:
    return _with_event_object(event, edit(_parse(as_mapping(event["chunk"]).get("bytes"))))


ADAPTER = Adapter(
    provider=PROVIDER,
    package="botocore",
    install="specspan[bedrock]",
    prepare=_buffer_request,
    keep=_buffer_answer,
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    fields=AnswerFields(by_fields(lambda body: response_format(body).known), _all_fields, _edit_body, REPEATED),
    streaming=Streaming(
        fields=AnswerFields(
            by_fields(lambda piece: response_format(piece).known_piece), _all_fields_of_event, _edit_event, REPEATED
        ),
        accumulator=InvokeAccumulator,
        deltas=_deltas,
        cut=_cut,
        find_stream=_find_stream,
        keep=keep_event_stream,
        put_stream=_put_stream,
        closing_events=_closing_events,
        is_last=lambda event: _METRICS in (_event_object(event) or ()),
    ),
)
