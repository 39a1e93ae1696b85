"""Fields of Anthropic's messages, of their blocks, and of the events of their streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.instrument.formats.known_converse import METRICS
from specspan.instrument.formats.known_fields import COUNTS, WHOLE, AnswerFields, Known, by_fields, known, with_made
from specspan.instrument.formats.raw_response import body_of, edit_answer

_CITATION = known(
    "type cited_text document_index document_title title url source file_id encrypted_index start_char_index "
    "end_char_index start_page_number end_page_number start_block_index end_block_index search_result_index"
)
_CALLER = known("type tool_id")
_SOURCE = known("type data media_type url file_id", content=WHOLE)
_MEDIA = known("type title context file_id", source=_SOURCE, citations=_CITATION, cache_control=COUNTS)
_CALL = known("type id name server_name toolset_name", input=WHOLE, caller=_CALLER)


def _inner(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a block inside a tool's result: a text or a medium, or else all of it is read."""
    kind = fields.get("type")
    return _INNER.get(kind, WHOLE) if isinstance(kind, str) else WHOLE


_INNER = {
    "text": known("type", text=WHOLE, citations=_CITATION, cache_control=COUNTS),
    "image": _MEDIA,
    "document": _MEDIA,
    "container_upload": _MEDIA,
}
_RESULT = known("type tool_use_id is_error", content=by_fields(_inner, is_text=True), caller=_CALLER)
_WHOLE_RESULT = known("type tool_use_id is_error", content=WHOLE, caller=_CALLER)
_BLOCKS: dict[str, Known] = {
    "text": with_made(known("type text", citations=_CITATION, cache_control=COUNTS), "parsed_output"),
    "thinking": known("type thinking signature"),
    "redacted_thinking": known("type data"),
    **dict.fromkeys(("tool_use", "server_tool_use", "mcp_tool_use"), _CALL),
    "compaction": known("type encrypted_content signature", content=WHOLE),
    "mcp_tool_listing": known("type mcp_server_name", tools=WHOLE),
    "search_result": known("type title source", content=by_fields(_inner, is_text=True), citations=_CITATION),
    "fallback": known("type", from_=known("model"), **{"from": known("model")}, to=known("model"),
                      trigger=known("type category")),
    "image": _MEDIA,
    "document": _MEDIA,
    "container_upload": _MEDIA,
    "tool_result": _RESULT,
    "mcp_tool_result": _RESULT,
}  # fmt: skip
_UNTYPED = known("type", text=WHOLE, citations=_CITATION)


def _block(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a block, by its type."""
    kind = fields.get("type")
    if not isinstance(kind, str):
        return _UNTYPED
    return _BLOCKS.get(kind) or (_WHOLE_RESULT if kind.endswith("tool_result") else _UNTYPED)


BLOCK = by_fields(_block, is_text=True)
_STOP_DETAILS = known("type category recommended_model fallback_credit_token")
_CHANGES: dict[str, Known] = {
    "usage": COUNTS,
    "container": known("id expires_at", skills=known("type skill_id version")),
    "context_management": COUNTS,
    "diagnostics": COUNTS,
    METRICS: COUNTS,
    "stop_details": _STOP_DETAILS,
    "input_transformations": known("type reason path"),
}
_MESSAGE_NAMES = "id type role model stop_reason stop_sequence _request_id"
MESSAGE = with_made(known(_MESSAGE_NAMES, content=BLOCK, **_CHANGES), "parsed_output")
MESSAGES = AnswerFields(MESSAGE, body_of, edit_answer)


def _delta(**read: Known) -> Known:
    return known("type", **read)


_DELTAS = {
    "text_delta": _delta(text=WHOLE),
    "thinking_delta": known("type estimated_tokens", thinking=WHOLE),
    "input_json_delta": _delta(partial_json=WHOLE),
    "compaction_delta": known("type encrypted_content", content=WHOLE),
    "citations_delta": _delta(citation=_CITATION),
    "signature_delta": known("type signature"),
}


def _any_delta(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a delta without a type: the first of the fields with a text is read."""
    name = next(
        (each for each in ("text", "thinking", "partial_json", "content") if isinstance(fields.get(each), str)), ""
    )
    return known("type", **({name: WHOLE} if name else {}))


def _choose_delta(fields: Mapping[str, Any]) -> Known:
    kind = fields.get("type")
    return (_DELTAS.get(kind) if isinstance(kind, str) else None) or _any_delta(fields)


_BLOCK_DELTA = known("type index", delta=by_fields(_choose_delta))
_BLOCK_START = known("type index", content_block=BLOCK)


def _other_event(fields: Mapping[str, Any]) -> Known:
    """Return what is known of an event of an unknown type, by the fields that tell what it is."""
    if fields.get("content_block") is not None:
        return _BLOCK_START
    return _BLOCK_DELTA if fields.get("delta") is not None and fields.get("usage") is None else _FRAME


_FRAME = known("type index request_id")
_STOP = known(f"{_MESSAGE_NAMES} container", **_CHANGES)
_EVENTS: dict[str, Known] = {
    "content_block_delta": _BLOCK_DELTA,
    "content_block_start": _BLOCK_START,
    "content_block_stop": with_made(known("type index", **{METRICS: COUNTS}), "content_block"),
    "message_start": known("type", message=MESSAGE),
    "message_delta": known("type", delta=_STOP, **_CHANGES),
    "message_stop": with_made(known("type", **{METRICS: COUNTS}), "message"),
    "ping": known("type"),
}


def _event(fields: Mapping[str, Any]) -> Known:
    """Return what is known of an event, by its type."""
    kind = fields.get("type")
    return (_EVENTS.get(kind) if isinstance(kind, str) else None) or _other_event(fields)


MESSAGE_EVENT = AnswerFields(by_fields(_event))
