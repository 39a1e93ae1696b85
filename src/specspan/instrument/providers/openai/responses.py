"""Responses API of the ``openai`` client: OpenAI, Azure, and other services that the client connects to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan.call import NOT_COUNTED, Attribute, Message, Request, Response, Text
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats.carried_answers import answer_in_error
from specspan.instrument.formats.fields import as_finish_reason, as_list, as_mapping, as_str, copy_with, list_or_item
from specspan.instrument.formats.generated_client import method_paths, read_through, unset_to_none
from specspan.instrument.formats.known_responses import RESPONSE_EVENT, RESPONSES
from specspan.instrument.formats.openai_responses import edit_input, edit_output, read_item, read_output
from specspan.instrument.formats.openai_responses_stream import (
    ResponsesAccumulator,
    closing_events,
    cut,
    deltas,
    new_texts,
    part_of,
)
from specspan.instrument.formats.raw_response import edit_answer, load, put_stream, unwrap
from specspan.instrument.providers.openai.chat import read_labels
from specspan.instrument.providers.openai.client import (
    RETRIEVAL,
    Service,
    build_retrieval,
    find_stream,
    read_usage,
    service_of,
)

_PARAMETERS = {"temperature": "temperature", "top_p": "top_p", "max_output_tokens": "max_tokens"}
_RUNNING_STATUSES = ("queued", "in_progress")


def _build_openai_request(invocation: Invocation) -> Request:
    return build_request(invocation, service_of(invocation.instance._client))


def build_request(invocation: Invocation, service: Service) -> Request:
    """Build the request to a service, from the arguments of any client with OpenAI's parameters."""
    arguments = invocation.kwargs
    instructions = unset_to_none(arguments.get("instructions"))
    return Request(
        model=unset_to_none(arguments.get("model")),
        parameters=dict(_read_parameters(arguments)),
        output_type=_output_type(arguments),
        input=tuple(_read_input(unset_to_none(arguments.get("input")))),
        system_instructions=(Text(instructions),) if isinstance(instructions, str) else (),
        tools=tuple(unset_to_none(arguments.get("tools")) or ()),
        streaming=bool(arguments.get("stream")),
        conversation=_conversation_id(unset_to_none(arguments.get("conversation"))),
        repeated=read_labels(arguments),
        **service,
    )


def _read_input(arguments: Any) -> Iterator[Message]:
    if isinstance(arguments, str):
        yield Message("user", (Text(arguments),))
    else:
        yield from map(read_item, as_list(arguments))


def _read_parameters(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Attribute]]:
    for name, value in arguments.items():
        if name in _PARAMETERS and isinstance(value, (int, float)):
            yield _PARAMETERS[name], value


def _output_type(arguments: Mapping[str, Any]) -> str | None:
    """Return the attribute ``gen_ai.output.type``."""
    if unset_to_none(arguments.get("text_format")):
        return "json"
    kind = as_mapping(as_mapping(unset_to_none(arguments.get("text"))).get("format")).get("type")
    return None if kind is None else "text" if kind == "text" else "json"


def _conversation_id(arguments: Any) -> str | None:
    identifier = arguments if isinstance(arguments, str) else as_mapping(arguments).get("id")
    return identifier if isinstance(identifier, str) else None


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = dict(invocation.kwargs)
    if isinstance(arguments.get("input"), str):
        arguments["input"] = edits.get("/input/0/parts/0", arguments["input"])
    elif arguments.get("input"):
        arguments["input"] = edit_input(arguments["input"], edits)
    if "/system_instructions/0" in edits:
        arguments["instructions"] = edits["/system_instructions/0"]
    return replace(invocation, kwargs=arguments)


def _read_response(answer: Any) -> Response | None:
    body = unwrap(answer)
    if body is None:
        return None
    response = as_mapping(body)
    reason = _read_finish_reason(response)
    message = read_output(response.get("output"), reason)
    return Response(
        id=as_str(response.get("id")),
        model=as_str(response.get("model")),
        output=(message,) if message.parts else (),
        finish_reasons=() if reason is None else (reason,),
        usage=read_usage(response.get("usage"), "input", "output"),
        in_progress=response.get("status") in _RUNNING_STATUSES and not message.parts,
    )


def _read_finish_reason(response: Mapping[str, Any]) -> str | None:
    """Return the finish reason, which this API expresses by status and details."""
    status = response.get("status")
    if status == "completed":
        last = [as_mapping(item).get("type") for item in list_or_item(response.get("output") or ())][-1:]
        return "tool_calls" if last and str(last[0]) in _APPLICATION_TOOL_CALLS else "stop"
    if status == "incomplete":
        reason = as_mapping(response.get("incomplete_details")).get("reason")
        return as_finish_reason(reason) or "incomplete"
    return None if status in _RUNNING_STATUSES else "error" if status == "failed" else as_finish_reason(status)


_APPLICATION_TOOL_CALLS = frozenset(
    ("function_call", "custom_tool_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
     "mcp_approval_request")
)  # fmt: skip
"""Types of tool call that the application runs or must approve."""


def _edit_response(answer: Any, edits: Edits) -> Any:
    return edit_answer(answer, lambda body: copy_with(body, output=edit_output(as_mapping(body)["output"], edits)))


_CLASSES = ("openai.resources.responses.responses:Responses", "openai.resources.beta.responses.responses:Responses")
ADAPTER = Adapter(
    provider="openai",
    package="openai",
    install="specspan[openai]",
    methods=method_paths(*_CLASSES, names=("create", "parse", "compact")),
    request=_build_openai_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    load=load,
    answer_in=answer_in_error,
    fields=RESPONSES,
    streaming=Streaming(
        accumulator=ResponsesAccumulator,
        deltas=deltas,
        cut=cut,
        find_stream=find_stream,
        fields=RESPONSE_EVENT,
        keep=read_through("_iterator"),
        put_stream=put_stream,
        closing_events=closing_events,
        new_texts=new_texts,
        part_of=part_of,
    ),
)


def _read_retrieved(answer: Any) -> Response | None:
    """Read an answer that was made before: if not in the background, its tokens were counted then."""
    response = _read_response(answer)
    if response is None or as_mapping(unwrap(answer)).get("background") is True:
        return response
    return replace(response, usage=NOT_COUNTED)


RETRIEVE = replace(
    ADAPTER,
    operation=RETRIEVAL,
    methods=method_paths(*_CLASSES, names=("retrieve", "cancel")),
    request=build_retrieval,
    response=_read_retrieved,
)
