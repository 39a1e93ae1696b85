"""Mistral's Responses API, which has the shape of OpenAI's, its events wrapped in frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from typing import Any

from specspan._support.interruption import raise_interruption
from specspan.call import Request, Response
from specspan.instrument.adapter import Adapter, Delta, Invocation, Streaming
from specspan.instrument.formats import openai_responses_stream as openai_events
from specspan.instrument.formats.fields import as_mapping, copy_with, to_plain_data
from specspan.instrument.formats.generated_client import read_through
from specspan.instrument.formats.known_responses import RESPONSE_EVENT, RESPONSES
from specspan.instrument.formats.openai_responses_stream import ResponsesAccumulator
from specspan.instrument.providers.mistral.client import (
    INSTALL,
    PACKAGE,
    PROVIDER,
    chunk_in_error,
    method_paths,
    service_of,
    without_defaults,
)
from specspan.instrument.providers.openai import responses as openai_responses

_CUT_STATUS = {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}


def _build_request(invocation: Invocation) -> Request:
    arguments = invocation.kwargs
    normalised = {
        **arguments,
        "input": without_defaults(arguments.get("input")),
        "tools": to_plain_data(arguments.get("tools") or ()),
    }
    return openai_responses.build_request(Invocation(invocation.instance, (), normalised), service_of(invocation))


def _read_response(answer: Any) -> Response | None:
    return openai_responses.ADAPTER.response(without_defaults(answer))


class _Accumulator(ResponsesAccumulator):
    """Accumulator that builds a response from the frames of a stream."""

    __slots__ = ()

    def add(self, frame: Any) -> None:
        super().add(frame.data)

    def new_texts(self, event: Any) -> Iterable[Delta]:
        return super().new_texts(event.data)

    def result(self) -> dict[str, Any]:
        return {name: without_defaults(value) for name, value in as_mapping(super().result()).items()}


def _deltas(frame: Any) -> Iterator[Delta]:
    return openai_events.deltas(frame.data)


def _cut(frame: Any, choice: int, text: str) -> Any:
    if openai_events.is_text_delta(frame.data):
        return copy_with(frame, data=openai_events.cut(frame.data, choice, text))
    from mistralai.client.models import ResponsesStreamFrame

    data = openai_events.cut_fields(frame.data, text)
    return ResponsesStreamFrame.model_validate({"event": data["type"], "data": data})


def _closing_events(accumulator: _Accumulator, frame: Any) -> Iterator[Any]:
    """Yield the frame that ends a response as incomplete; none if the stream had no valid start."""
    from mistralai.client.models import ResponsesStreamFrame

    response = accumulator.result()
    last = {
        "type": "response.incomplete",
        "sequence_number": frame.data.sequence_number + 1,
        "response": {**response, **_CUT_STATUS, "output": list(map(_complete_item, response["output"]))},
    }
    try:
        yield ResponsesStreamFrame.model_validate({"event": last["type"], "data": last})
    except ValueError as error:
        raise_interruption(error)
        return


def _complete_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with the fields that the client requires of every message."""
    if item.get("type") != "message":
        return item
    return {**item, "content": [{"annotations": [], **each} for each in item["content"] or ()]}


def _edit_data(frame: Any, edit: Callable[[Any], Any]) -> Any:
    return copy_with(frame, data=edit(frame.data))


def _find_stream(answer: Any) -> Any | None:
    return answer if hasattr(answer, "__next__") or hasattr(answer, "__anext__") else None


ADAPTER = Adapter(
    provider=PROVIDER,
    package=PACKAGE,
    install=INSTALL,
    methods=method_paths("client.responses:Responses", names=("create",)),
    request=_build_request,
    response=_read_response,
    edit_request=openai_responses.ADAPTER.edit_request,
    edit_response=openai_responses.ADAPTER.edit_response,
    fields=RESPONSES,
    streaming=Streaming(
        fields=replace(RESPONSE_EVENT, body=attrgetter("data"), edit=_edit_data),
        accumulator=_Accumulator,
        deltas=_deltas,
        cut=_cut,
        find_stream=_find_stream,
        keep=read_through("generator"),
        source=attrgetter("response"),
        closing_events=_closing_events,
        new_texts=openai_events.new_texts,
        part_of=lambda frame: openai_events.part_of(frame.data),
        chunk_in=chunk_in_error,
    ),
)
