"""Google GenAI: the Gemini API and Vertex AI.

What is met is below the client's chats and its own calling of functions, which are decided before they are called; and
above its own continuing of an answer that stopped at a checkpoint. There the client would take `Blocked` for a lost
connection and ask again, and what is said across two requests would be decided in halves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from specspan.call import Attribute, Message, Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.blocks import tool_call
from specspan.instrument.formats.anthropic_messages import plain
from specspan.instrument.formats.bodies import Turn, parts, with_places, with_turns
from specspan.instrument.formats.fields import changed, count, fields, finish_reason, listed, word
from specspan.instrument.formats.generated_client import methods
from specspan.instrument.framework_methods import Activity
from specspan.instrument.providers.google.content import ROLES, get, joined, parts_of, places_of, turns_of
from specspan.instrument.providers.google.stream import GenerateAccumulator, cut, deltas

# MERGED _google_functions: Python functions that Google's client calls by itself where the model wants them called.
#
# In a stream it does so as soon as the call has come, before the answer is decided: so each is decided by itself, too.


_CALLS = "google.genai._extra_utils:invoke_function_from_dict_args"


def _tool(call: Invocation) -> tool_call:
    given = dict(zip(("args", "function_to_invoke"), call.args, strict=False)) | dict(call.kwargs)
    return tool_call(given["function_to_invoke"].__name__, given["args"])


ACTIVITY = Activity(
    block=_tool,
    methods=(_CALLS, f"{_CALLS}_async"),
    package="google.genai",
    install="specspan[google]",
)


_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_output_tokens": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "seed": "seed",
}
_FILTERED = ("blocklist", "prohibited_content", "spii", "model_armor")
_PORTS = {"https": 443, "http": 80}


def _request(invocation: Invocation, *, operation: str = "chat", streaming: bool = False) -> Request:
    given = invocation.kwargs
    config = given.get("config")
    client = invocation.instance._api_client
    url = urlsplit(client._http_options.base_url or "")
    instructions = turns_of(_instruction(config)) if _instruction(config) else []
    return Request(
        provider="gcp.vertex_ai" if client.vertexai else "gcp.gemini",
        operation=operation,
        model=word(given.get("model")),
        parameters=dict(_parameters(config)),
        output_type=_output_type(config),
        input=tuple([turn.message() for turn in _asked(given)]),
        system_instructions=parts_of(instructions),
        tools=tuple(_tools(config)),
        streaming=streaming,
        server_address=url.hostname,
        server_port=url.port or _PORTS.get(url.scheme),
    )


def _instruction(config: Any) -> Any:
    return get(config, "system_instruction")


def _asked(given: Any) -> list[Turn]:
    return turns_of(given["contents"], "contents")


def _parameters(config: Any) -> Iterator[tuple[str, Attribute]]:
    for theirs, name in _PARAMETERS.items():
        value = get(config, theirs)
        if isinstance(value, (int, float)):
            yield name, value
    if stops := get(config, "stop_sequences"):
        yield "stop_sequences", tuple(stops)
    choices = get(config, "candidate_count")
    if isinstance(choices, int) and choices != 1:
        yield "choice.count", choices


def _output_type(config: Any) -> str | None:
    """``gen_ai.output.type``."""
    if get(config, "response_mime_type") == "application/json":
        return "json"
    modalities = [str(getattr(each, "value", each)).upper() for each in listed(get(config, "response_modalities"))]
    return "image" if "IMAGE" in modalities else "speech" if "AUDIO" in modalities else None


def _tools(config: Any) -> Iterator[dict[str, Any]]:
    """Each function by itself; Python functions, of which the client makes declarations, by name and docstring."""
    for tool in listed(get(config, "tools")):
        declared = None if callable(tool) else get(tool, "function_declarations")
        if declared:
            yield from (plain(each) for each in listed(declared))
        elif callable(tool):
            yield {"name": tool.__name__, "description": tool.__doc__ or ""}
        elif isinstance(found := plain(tool), dict):
            yield found


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    given = dict(invocation.kwargs)
    given = with_turns(given, _asked(given), "input", edits)
    config = given.get("config")
    if instruction := _instruction(config):
        places = [place for turn in turns_of(instruction, "said") for place in turn.places]
        edited = with_places({"said": instruction}, places, "/system_instructions/", edits)["said"]
        if edited is not instruction:
            name = "system_instruction" if "system_instruction" in fields(config) else "systemInstruction"
            given["config"] = changed(config, **{name: edited})
    return replace(invocation, kwargs=given)


def _response(answer: Any) -> Response | None:
    candidates = get(answer, "candidates")
    blocked = get(get(answer, "prompt_feedback"), "block_reason") is not None
    if candidates is None and not blocked and get(get(answer, "sdk_http_response"), "body"):
        return None  # the application asked for what is on the wire, unread
    output = tuple([_message(candidate, turn) for candidate, turn in _answered(answer)])
    return Response(
        id=word(get(answer, "response_id")),
        model=word(get(answer, "model_version")),
        output=output,
        finish_reasons=tuple([each.finish_reason for each in output if each.finish_reason])
        or (("content_filter",) if blocked else ()),
        usage=_usage(get(answer, "usage_metadata")),
    )


def _answered(answer: Any) -> Iterator[tuple[Any, Turn]]:
    """Each candidate, and what it says."""
    for at, candidate in enumerate(listed(get(answer, "candidates"))):
        content = get(candidate, "content")
        role = word(get(content, "role")) or "model"
        yield candidate, Turn(ROLES.get(role, role), tuple(joined(places_of(content, "candidates", at, "content"))))


def _message(candidate: Any, turn: Turn) -> Message:
    reason = get(candidate, "finish_reason")
    wants = [get(part, "function_call") for part in listed(get(get(candidate, "content"), "parts"))]
    said = word(getattr(reason, "value", reason))
    if said is not None and said.lower().removeprefix("image_") in _FILTERED:
        said = "safety"
    wants_tool = any(each is not None for each in wants)
    known = finish_reason(said and said.removeprefix("IMAGE_"), wants_tool=wants_tool)
    return Message(turn.role, parts(turn.places), None, known)


def _usage(usage: Any) -> Usage:
    prompt, by_tools, answered, thought, cached = (
        count(get(usage, f"{name}_token_count"))
        for name in ("prompt", "tool_use_prompt", "candidates", "thoughts", "cached_content")
    )
    return Usage(
        input_tokens=None if prompt is None else prompt + (by_tools or 0),
        output_tokens=None if answered is None and thought is None else (answered or 0) + (thought or 0),
        cache_read_input_tokens=cached,
        reasoning_output_tokens=thought,
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    edited = with_turns(answer, [turn for _, turn in _answered(answer)], "output", edits)
    return changed(edited, parsed=None) if fields(edited).get("parsed") is not None else edited


def _embeddings(answer: Any) -> Response:
    counts = [count(get(get(each, "statistics"), "token_count")) for each in listed(get(answer, "embeddings"))]
    known = [int(each) for each in counts if each is not None]
    return Response(usage=Usage(input_tokens=sum(known) if known else None))


_MODELS = "google.genai.models:Models"
_GENERATE = Adapter(
    provider="gcp.gemini",
    package="google.genai",
    install="specspan[google]",
    methods=methods(_MODELS, names=("_generate_content_with_continuation",)),
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
_STREAM = replace(
    _GENERATE,
    methods=methods(_MODELS, names=("_generate_content_stream_with_continuation",)),
    request=lambda invocation: _request(invocation, streaming=True),
    accumulator=GenerateAccumulator,
    deltas=deltas,
    cut=cut,
    stream_in=lambda stream: stream,
)
_EMBED = replace(
    _GENERATE,
    operation="embeddings",
    methods=methods(_MODELS, names=("embed_content",)),
    request=lambda invocation: _request(invocation, operation="embeddings"),
    response=_embeddings,
    edit_response=lambda answer, edits: answer,  # there is no text in it
)

ADAPTERS = (_GENERATE, _STREAM, _EMBED, ACTIVITY)
