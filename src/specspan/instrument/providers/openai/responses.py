"""OpenAI's Responses API: the service itself, Azure's, and whatever else the ``openai`` client talks to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan.call import Attribute, Message, Request, Response, Text
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import changed, fields, finish_reason, listed, word
from specspan.instrument.formats.generated_client import methods, reads_once, said
from specspan.instrument.formats.openai_responses import (
    ResponsesAccumulator,
    answer_of,
    closing,
    cut,
    deltas,
    message_of,
    with_input,
    with_output,
)
from specspan.instrument.formats.raw_response import answered, edited, load, put_stream
from specspan.instrument.providers.openai.client import Service, service_of, stream_in, usage_of

_PARAMETERS = {"temperature": "temperature", "top_p": "top_p", "max_output_tokens": "max_tokens"}
_UNFINISHED = ("queued", "in_progress")


def _request(invocation: Invocation) -> Request:
    return asked(invocation, service_of(invocation.instance._client))


def asked(invocation: Invocation, service: Service) -> Request:
    """What a service is asked, by whichever client."""
    given = invocation.kwargs
    instructions = said(given.get("instructions"))
    return Request(
        model=said(given.get("model")),
        parameters=dict(_parameters(given)),
        output_type=_output_type(given),
        input=tuple(_input(said(given.get("input")))),
        system_instructions=(Text(instructions),) if isinstance(instructions, str) else (),
        tools=tuple(said(given.get("tools")) or ()),
        streaming=bool(given.get("stream")),
        conversation=_conversation(said(given.get("conversation"))),
        **service,
    )


def _input(given: Any) -> Iterator[Message]:
    if isinstance(given, str):
        yield Message("user", (Text(given),))
    else:
        yield from map(message_of, listed(given))


def _parameters(given: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    for name, value in given.items():
        if name in _PARAMETERS and isinstance(value, (int, float)):
            yield _PARAMETERS[name], value


def _output_type(given: Mapping[str, Any]) -> str | None:
    """``gen_ai.output.type``."""
    if said(given.get("text_format")):
        return "json"
    kind = fields(fields(said(given.get("text"))).get("format")).get("type")
    return None if kind is None else "text" if kind == "text" else "json"


def _conversation(given: Any) -> str | None:
    found = given if isinstance(given, str) else fields(given).get("id")
    return found if isinstance(found, str) else None


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    given = dict(invocation.kwargs)
    if isinstance(given.get("input"), str):
        given["input"] = edits.get("/input/0/parts/0", given["input"])
    elif given.get("input"):
        given["input"] = with_input(given["input"], edits)
    if "/system_instructions/0" in edits:
        given["instructions"] = edits["/system_instructions/0"]
    return replace(invocation, kwargs=given)


def _response(answer: Any) -> Response | None:
    found = answered(answer)
    if found is None:
        return None
    response = fields(found)
    reason = _finish_reason(response)
    message = answer_of(response.get("output"), reason)
    return Response(
        id=word(response.get("id")),
        model=word(response.get("model")),
        output=(message,) if message.parts else (),
        finish_reasons=() if reason is None else (reason,),
        usage=usage_of(response.get("usage"), "input", "output"),
        in_progress=response.get("status") in _UNFINISHED and not message.parts,
    )


def _finish_reason(response: Mapping[str, Any]) -> str | None:
    """Why the model stopped, in the words of chat completions: here the service says it by status and details."""
    status = response.get("status")
    if status == "completed":
        last = [fields(item).get("type") for item in listed(response.get("output"))][-1:]
        return "tool_calls" if last and last[0] in _FOR_THE_APPLICATION else "stop"
    if status == "incomplete":
        reason = fields(response.get("incomplete_details")).get("reason")
        return finish_reason(reason) or "incomplete"
    return None if status is None or status in _UNFINISHED else "error" if status == "failed" else str(status)


_FOR_THE_APPLICATION = frozenset(
    ("function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
     "mcp_approval_request")
)  # fmt: skip
"""Calls of tools that the application runs, or must allow."""


def _edit_response(answer: Any, edits: Edits) -> Any:
    return edited(answer, lambda found: changed(found, output=with_output(fields(found)["output"], edits)))


ADAPTER = Adapter(
    provider="openai",
    package="openai",
    install="specspan[openai]",
    methods=methods(
        "openai.resources.responses.responses:Responses",
        "openai.resources.beta.responses.responses:Responses",
        names=("create", "parse"),
    ),
    prepare=reads_once("input", "tools"),
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    load=load,
    accumulator=ResponsesAccumulator,
    deltas=deltas,
    cut=cut,
    closing=closing,
    stream_in=stream_in,
    put_stream=put_stream,
)
