"""Fields of OpenAI's Responses API: of a response, of its items, and of the events of its streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.instrument.formats.known_chat import LOGPROBS, VERDICTS
from specspan.instrument.formats.known_fields import (
    COUNTS,
    SETTING,
    WHOLE,
    AnswerFields,
    Known,
    by_fields,
    known,
    numbers,
    or_text,
    with_made,
)
from specspan.instrument.formats.openai_chat import CITATION_FIELDS
from specspan.instrument.formats.openai_responses import ARGUMENT_FIELDS, CONTENT_KINDS, RESULT_FIELDS, RESULT_TEXTS
from specspan.instrument.formats.raw_response import body_of, edit_answer

_ANNOTATION = known(f"type index url start_index end_index file_id container_id {' '.join(CITATION_FIELDS)}")
_TOKENS = LOGPROBS.inner["content"]
_FRAME = "type id status prompt_cache_breakpoint"


def _piece(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a piece of a content, by the field that is read of it."""
    if fields.get("text") is not None:
        return _TEXT
    if fields.get("type") == "refusal":
        return _REFUSAL
    return _SOUND if fields.get("transcript") is not None else _MEDIUM


_TEXT = with_made(known(_FRAME, text=WHOLE, annotations=_ANNOTATION, logprobs=_TOKENS), "parsed")
_REFUSAL = known(_FRAME, refusal=WHOLE)
_SOUND = known(f"{_FRAME} data format", transcript=WHOLE)
_MEDIUM = known(f"{_FRAME} detail file_id file_url image_url url file_data data format image_url")
PIECE = by_fields(_piece, is_text=True)
_ITEM_FRAME = (
    "type id status role phase name call_id server_label approval_request_id namespace async_ execution environment "
    "created_by container_id output_format quality size background fingerprint encrypted_content agent"
)
_CALLER = known("type caller_id")
_RESULT = or_text(known(f"{_FRAME} file_id url score index {' '.join(RESULT_TEXTS)}"))
_PLAIN: dict[str, Known] = {
    "caller": _CALLER,
    "environment": known("type container_id"),
    "pending_safety_checks": WHOLE,
}
_MESSAGE = known(_ITEM_FRAME, content=PIECE)
_THOUGHT = or_text(known(_FRAME, text=WHOLE))
_REASONING = known(_ITEM_FRAME, content=_THOUGHT, summary=_THOUGHT)
_OUTPUT = known(f"{_ITEM_FRAME} max_output_length", output=WHOLE, result=WHOLE, caller=_CALLER)
_LISTED_TOOLS = known(
    _ITEM_FRAME, tools=known("name description", input_schema=WHOLE, annotations=WHOLE), error=known()
)


def _item(fields: Mapping[str, Any]) -> Known:
    """Return what is known of an item, by its type."""
    kind = str(fields.get("type") or "message")
    if kind in _ITEMS:
        return _ITEMS[kind]
    if kind.endswith("_output"):
        return _OUTPUT
    if kind.endswith("_call") or kind == "mcp_approval_request":
        return _call(kind, fields)
    return _PIECES.get(kind, _OTHER)


_OTHER = known(_ITEM_FRAME)
_PIECES = dict.fromkeys(CONTENT_KINDS, PIECE)
_ITEMS: dict[str, Known] = {"message": _MESSAGE, "reasoning": _REASONING, "mcp_list_tools": _LISTED_TOOLS}
_CALLS: dict[tuple[str, str | None], Known] = {}


def _call(kind: str, fields: Mapping[str, Any]) -> Known:
    """Return what is known of a tool call: the one field with its arguments that is read, and those with results."""
    arguments = next((name for name in ARGUMENT_FIELDS if fields.get(name)), None)
    listed = _CALLS.get((kind, arguments))
    if listed is None:
        read = dict.fromkeys(RESULT_FIELDS.get(kind, ()), _RESULT)
        if arguments is not None:
            read[arguments] = WHOLE
        picture = {"result": WHOLE} if kind == "image_generation_call" else {}
        listed = with_made(known(_ITEM_FRAME, **{**_PLAIN, **picture, **read}), "parsed_arguments")
        if len(_CALLS) < _MAX_CALLS:
            _CALLS[kind, arguments] = listed
    return listed


_MAX_CALLS = 256
ITEM = by_fields(_item, is_text=True)
_HEAD_NAMES = (
    "id object created_at model status service_tier truncation previous_response_id user "
    "prompt_cache_key prompt_cache_retention safety_identifier _request_id"
)
_NUMBERS = (
    "background parallel_tool_calls temperature top_p top_logprobs max_output_tokens max_tool_calls presence_penalty "
    "frequency_penalty store completed_at"
)
_SENT = ("tools", "text", "reasoning", "prompt", "conversation", "access_programs", "image", "input_transformations",
         "prompt_cache_options")  # fmt: skip
"""Settings of the request, which the service repeats."""
RESPONSE = known(
    _HEAD_NAMES,
    output=ITEM,
    usage=COUNTS,
    tool_usage=COUNTS,
    billing=known("payer"),
    incomplete_details=known("reason"),
    prompt_cache_diagnostics=COUNTS,
    content_filters=WHOLE,
    moderation=VERDICTS,
    tool_choice=WHOLE,
    **dict.fromkeys(_SENT, SETTING),
    **numbers(_NUMBERS),
)
REPEATED = frozenset(("instructions", "metadata"))
"""Fields in which the service repeats what the application sent."""
RESPONSES = AnswerFields(RESPONSE, body_of, edit_answer, REPEATED)

_EVENT_NAMES = (
    "type sequence_number item_id output_index content_index summary_index annotation_index command_index "
    "obfuscation agent response_id event_id"
)
"""Fields of an event that say where in the response it belongs."""


def _event(**fields: Known) -> Known:
    return known(_EVENT_NAMES, **fields)


_DELTA = _event(delta=WHOLE, logprobs=_TOKENS)
_READ: dict[str, Known] = {
    **dict.fromkeys(
        ("response.output_text.delta", "response.refusal.delta", "response.audio.transcript.delta"), _DELTA
    ),
    **dict.fromkeys(
        (
            "response.reasoning_text.delta",
            "response.reasoning_summary_text.delta",
            "response.function_call_arguments.delta",
            "response.custom_tool_call_input.delta",
            "response.code_interpreter_call_code.delta",
            "response.mcp_call_arguments.delta",
            "response.audio.delta",
        ),
        _DELTA,
    ),
    "response.function_call_arguments.done": _event(arguments=WHOLE),
    "response.mcp_call_arguments.done": _event(arguments=WHOLE),
    "response.custom_tool_call_input.done": _event(input=WHOLE),
    "response.code_interpreter_call_code.done": _event(code=WHOLE),
    "response.output_text.done": _event(text=WHOLE, logprobs=_TOKENS),
    "response.refusal.done": _event(refusal=WHOLE),
    "response.audio.transcript.done": _event(transcript=WHOLE),
    "response.reasoning_text.done": _event(text=WHOLE),
    "response.reasoning_summary_text.done": _event(text=WHOLE),
    "response.reasoning_summary_part.added": _event(part=WHOLE),
    "response.reasoning_summary_part.done": _event(part=WHOLE),
    "response.content_part.added": _event(part=PIECE),
    "response.content_part.done": _event(part=PIECE),
    "response.output_item.added": _event(item=ITEM),
    "response.output_item.done": _event(item=ITEM),
    "response.output_text.annotation.added": _event(annotation=_ANNOTATION),
    "response.image_generation_call.partial_image": known(
        f"{_EVENT_NAMES} partial_image_b64 partial_image_index background output_format quality size"
    ),
    "keepalive": _event(),
}
_HEAD_EVENT = _event(response=RESPONSE)


def _of_event(fields: Mapping[str, Any]) -> Known:
    """Return what is known of an event, by its type; one of an unknown type may carry a response."""
    kind = fields.get("type")
    return _READ.get(kind, _HEAD_EVENT) if isinstance(kind, str) else _HEAD_EVENT


RESPONSE_EVENT = AnswerFields(by_fields(_of_event), repeated=REPEATED)
