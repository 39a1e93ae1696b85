"""Content generation and embeddings of Google GenAI: the Gemini API and Vertex AI.

The wrapped methods are below the client's chats and its automatic function calling, so functions are decided before the
client calls them. They are above the client's continuation of an answer that stopped at a checkpoint: there the client
would take `Blocked` for a lost connection and retry, and a text split over two requests would be decided in halves.

The Python functions of automatic function calling are tool calls. In a stream the client calls them before the answer
is decided, so each is decided by itself as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from specspan.call import Attribute, Message, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.blocks import tool_call
from specspan.instrument.formats.bodies import Turn, edit_parts, edit_turns, parts_only
from specspan.instrument.formats.fields import (
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    copy_with,
    to_plain_data,
)
from specspan.instrument.formats.generated_client import method_paths
from specspan.instrument.formats.known_google import GENERATED
from specspan.instrument.framework_methods import Activity
from specspan.instrument.providers.google.content import (
    ROLES,
    all_parts,
    content_parts,
    get_field,
    join_texts,
    parts_beside,
    read_turns,
)
from specspan.instrument.providers.google.stream import GenerateAccumulator, cut, deltas

_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_output_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}
_FILTER_REASONS = ("blocklist", "prohibited_content", "spii", "model_armor")
_PORTS = {"https": 443, "http": 80}


def _build_request(invocation: Invocation, *, operation: str = "chat", streaming: bool = False) -> Request:
    arguments = invocation.kwargs
    config = arguments.get("config")
    client = invocation.instance._api_client
    url = urlsplit(client._http_options.base_url or "")
    instructions = read_turns(_system_instruction(config)) if _system_instruction(config) else []
    return Request(
        provider="gcp.vertex_ai" if client.vertexai else "gcp.gemini",
        operation=operation,
        model=as_str(arguments.get("model")),
        parameters=dict(_read_parameters(config)),
        output_type=_output_type(config),
        input=tuple([turn.to_message() for turn in _input_turns(arguments)]),
        system_instructions=all_parts(instructions),
        tools=tuple(_tool_definitions(config)),
        streaming=streaming,
        server_address=url.hostname,
        server_port=url.port or _PORTS.get(url.scheme),
    )


def _system_instruction(config: Any) -> Any:
    return get_field(config, "system_instruction")


def _input_turns(arguments: Any) -> list[Turn]:
    return read_turns(arguments["contents"], "contents")


def _read_parameters(config: Any) -> Iterator[tuple[str, Attribute]]:
    for option, name in _PARAMETERS.items():
        value = get_field(config, option)
        if isinstance(value, (int, float)):
            yield name, value
    if stops := get_field(config, "stop_sequences"):
        yield "stop_sequences", tuple(stops)
    choices = get_field(config, "candidate_count")
    if isinstance(choices, int) and choices != 1:
        yield "choice.count", choices


def _output_type(config: Any) -> str | None:
    """Return the attribute ``gen_ai.output.type``."""
    if get_field(config, "response_mime_type") == "application/json":
        return "json"
    modalities = [
        str(getattr(each, "value", each)).upper() for each in as_list(get_field(config, "response_modalities"))
    ]
    return "image" if "IMAGE" in modalities else "speech" if "AUDIO" in modalities else None


def _tool_definitions(config: Any) -> Iterator[dict[str, Any]]:
    """Yield each function declaration; of a Python function, its name and docstring."""
    for tool in as_list(get_field(config, "tools")):
        declarations = None if callable(tool) else get_field(tool, "function_declarations")
        if declarations:
            yield from (to_plain_data(each) for each in as_list(declarations))
        elif callable(tool):
            yield {"name": tool.__name__, "description": tool.__doc__ or ""}
        elif isinstance(definition := to_plain_data(tool), dict):
            yield definition


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = dict(invocation.kwargs)
    arguments = edit_turns(arguments, _input_turns(arguments), "input", edits)
    config = arguments.get("config")
    if instruction := _system_instruction(config):
        places = [place for turn in read_turns(instruction, "instruction") for place in turn.parts]
        edited = edit_parts({"instruction": instruction}, places, "/system_instructions/", edits)["instruction"]
        if edited is not instruction:
            name = "system_instruction" if "system_instruction" in as_mapping(config) else "systemInstruction"
            arguments["config"] = copy_with(config, **{name: edited})
    return replace(invocation, kwargs=arguments)


def _read_response(answer: Any) -> Response | None:
    candidates = get_field(answer, "candidates")
    blocked = get_field(get_field(answer, "prompt_feedback"), "block_reason") is not None
    if candidates is None and not blocked and get_field(get_field(answer, "sdk_http_response"), "body"):
        return None  # the application asked for the unparsed body
    output = tuple([_read_message(candidate, turn) for candidate, turn in _output_turns(answer)])
    return Response(
        id=as_str(get_field(answer, "response_id")),
        model=as_str(get_field(answer, "model_version")),
        output=output,
        finish_reasons=tuple([each.finish_reason for each in output if each.finish_reason])
        or (("content_filter",) if blocked else ()),
        usage=_read_usage(get_field(answer, "usage_metadata")),
    )


def _output_turns(answer: Any) -> Iterator[tuple[Any, Turn]]:
    """Yield each candidate with its turn."""
    for at, candidate in enumerate(as_list(get_field(answer, "candidates"))):
        content = get_field(candidate, "content")
        role = as_str(get_field(content, "role")) or "model"
        parts = join_texts(content_parts(content, "candidates", at, "content"))
        yield candidate, Turn(ROLES.get(role, role), (*parts, *parts_beside(candidate, "candidates", at)))


def _read_message(candidate: Any, turn: Turn) -> Message:
    reason = get_field(candidate, "finish_reason")
    calls = [get_field(part, "function_call") for part in as_list(get_field(get_field(candidate, "content"), "parts"))]
    reason_name = as_str(getattr(reason, "value", reason))
    if reason_name is not None and reason_name.lower().removeprefix("image_") in _FILTER_REASONS:
        reason_name = "safety"
    wants_tool = any(each is not None for each in calls)
    finish_reason = as_finish_reason(reason_name and reason_name.removeprefix("IMAGE_"), wants_tool=wants_tool)
    return Message(turn.role, parts_only(turn.parts), None, finish_reason)


def _read_usage(usage: Any) -> Usage:
    prompt, by_tools, generated, thinking, cached = (
        as_count(get_field(usage, f"{name}_token_count"))
        for name in ("prompt", "tool_use_prompt", "candidates", "thoughts", "cached_content")
    )
    return Usage(
        input_tokens=None if prompt is None else prompt + (by_tools or 0),
        output_tokens=None if generated is None and thinking is None else (generated or 0) + (thinking or 0),
        cache_read_input_tokens=cached,
        reasoning_output_tokens=thinking,
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    response = edit_turns(answer, [turn for _, turn in _output_turns(answer)], "output", edits)
    return copy_with(response, parsed=None) if as_mapping(response).get("parsed") is not None else response


def _read_embeddings_response(answer: Any) -> Response:
    counts = [
        as_count(get_field(get_field(each, "statistics"), "token_count"))
        for each in as_list(get_field(answer, "embeddings"))
    ]
    known = [int(each) for each in counts if each is not None]
    return Response(usage=Usage(input_tokens=sum(known) if known else None))


_MODELS = "google.genai.models:Models"
_GENERATE = Adapter(
    provider="gcp.gemini",
    package="google.genai",
    install="specspan[google]",
    methods=method_paths(_MODELS, names=("_generate_content_with_continuation",)),
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
    fields=GENERATED,
)
_STREAM = replace(
    _GENERATE,
    methods=method_paths(_MODELS, names=("_generate_content_stream_with_continuation",)),
    request=lambda invocation: _build_request(invocation, streaming=True),
    streaming=Streaming(
        accumulator=GenerateAccumulator,
        deltas=deltas,
        cut=cut,
        find_stream=lambda stream: stream,
        fields=GENERATED,
    ),
)
_EMBED = replace(
    _GENERATE,
    operation="embeddings",
    methods=method_paths(_MODELS, names=("embed_content",)),
    request=lambda invocation: _build_request(invocation, operation="embeddings"),
    response=_read_embeddings_response,
    fields=None,
    edit_response=lambda answer, edits: answer,  # an embedding has no text
)

_FUNCTION_CALLER = "google.genai._extra_utils:invoke_function_from_dict_args"


def _tool_block(call: Invocation) -> tool_call:
    arguments = dict(zip(("args", "function_to_invoke"), call.args, strict=False)) | dict(call.kwargs)
    return tool_call(arguments["function_to_invoke"].__name__, arguments["args"])


ACTIVITY = Activity(
    block=_tool_block,
    methods=(_FUNCTION_CALLER, f"{_FUNCTION_CALLER}_async"),
    package="google.genai",
    install="specspan[google]",
)

ADAPTERS = (_GENERATE, _STREAM, _EMBED, ACTIVITY)
