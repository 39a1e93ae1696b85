"""OpenAI chat completions: the service itself, Azure's, and whatever else the ``openai`` client talks to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan.call import Attribute, Request, Response
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import changed, emptied, fields, finish_reason, listed, word
from specspan.instrument.formats.generated_client import methods, reads_once, said
from specspan.instrument.formats.openai_chat import ChatAccumulator, cut, deltas, message_of, with_texts
from specspan.instrument.formats.raw_response import answered, edited, load, put_stream
from specspan.instrument.providers.openai.client import Service, service_of, stream_in, usage_of

_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}


def _request(invocation: Invocation) -> Request:
    return asked(invocation, service_of(invocation.instance._client))


def asked(invocation: Invocation, service: Service) -> Request:
    """What a service is asked, by whichever client."""
    given = invocation.kwargs
    return Request(
        model=said(given.get("model")),
        parameters=dict(parameters(given)),
        output_type=output_type(said(given.get("response_format"))),
        input=tuple(map(message_of, listed(given["messages"]))),
        tools=tuple(said(given.get("tools")) or ()),
        streaming=bool(given.get("stream")),
        **service,
    )


def parameters(given: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    """``gen_ai.request.*``."""
    for name, value in given.items():
        if name in _PARAMETERS and isinstance(value, (int, float)):
            yield _PARAMETERS[name], value
        elif name == "stop" and value:
            yield "stop_sequences", (value,) if isinstance(value, str) else tuple(value)
        elif name == "n" and isinstance(value, int) and value != 1:
            yield "choice.count", value


def output_type(response_format: Any) -> str | None:
    """``gen_ai.output.type``."""
    if response_format is None:
        return None
    is_text = not isinstance(response_format, type) and fields(response_format).get("type") == "text"
    return "text" if is_text else "json"  # a schema, or a class that stands for one


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    messages = with_texts(invocation.kwargs["messages"], "input", edits)
    return replace(invocation, kwargs={**invocation.kwargs, "messages": messages})


def _response(answer: Any) -> Response | None:
    found = answered(answer)
    if found is None:
        return None
    completion = fields(found)
    choices = [fields(choice) for choice in listed(completion.get("choices"))]
    reasons = [finish_reason(choice.get("finish_reason")) for choice in choices]
    return Response(
        id=word(completion.get("id")),
        model=word(completion.get("model")),
        output=tuple([message_of(choice.get("message"), reason) for choice, reason in zip(choices, reasons)]),  # noqa: B905 - as many
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=usage_of(completion.get("usage"), "prompt", "completion"),
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    return edited(answer, lambda found: changed(found, choices=_edited(fields(found)["choices"], edits)))


def _edited(choices: Any, edits: Edits) -> list[Any]:
    before = [fields(choice)["message"] for choice in choices]
    return [
        choice if message is old else changed(choice, message=_unparsed(message), **emptied(choice, "logprobs", "text"))
        for choice, old, message in zip(choices, before, with_texts(before, "output", edits), strict=True)
    ]


def _unparsed(message: Any) -> Any:
    """Without what a client made of the text as it was."""
    return changed(message, parsed=None) if fields(message).get("parsed") is not None else message


ADAPTER = Adapter(
    provider="openai",
    package="openai",
    install="specspan[openai]",
    methods=methods(
        "openai.resources.chat.completions:Completions",
        "openai.resources.beta.chat.completions:Completions",
        names=("create", "parse"),
    ),
    prepare=reads_once("messages", "tools"),
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    load=load,
    accumulator=ChatAccumulator,
    deltas=deltas,
    cut=cut,
    stream_in=stream_in,
    put_stream=put_stream,
)
