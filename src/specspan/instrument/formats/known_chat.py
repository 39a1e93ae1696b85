"""Fields of OpenAI's chat completions and text completions, and of those of services with the same shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.formats.known_converse import METRICS
from specspan.instrument.formats.known_fields import (
    COUNTS,
    WHOLE,
    AnswerFields,
    Known,
    by_fields,
    known,
    known_tree,
    numbered,
    numbers,
    or_text,
    single,
    with_made,
)
from specspan.instrument.formats.openai_chat import CITATION_FIELDS
from specspan.instrument.formats.raw_response import body_of, edit_answer

_CITED = " ".join(CITATION_FIELDS)
_PLACE = "type index url start_index end_index file_id container_id document_id tool_call_id location"
VERDICTS = known_tree("severity code id URL license model type")
"""Verdicts of content filters, such as Azure's, which name a category and how bad it is."""
_SOUND = known("id data expires_at transcript")
_FUNCTION = single(or_text(known("name", arguments=WHOLE)))
_CUSTOM = single(known("name", input=WHOLE))
_SIGNED = known(google=known("thought_signature"))


def _nested_source(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a citation: where its type names a field with the source, only that is read."""
    kind = fields.get("type")
    if isinstance(kind, str) and as_mapping(fields.get(kind)):
        return known(_PLACE, **{kind: known(f"{_PLACE} {_CITED}")})
    return known(f"{_PLACE} {_CITED}")


def _tool_call(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a tool call, by the field that is read of it."""
    kind = fields.get("type")
    if kind == "custom" or (kind is None and fields.get("custom") and not fields.get("function")):
        return _CUSTOM_CALL
    return _FUNCTION_CALL


_FUNCTION_CALL = known("id index type", function=_FUNCTION, extra_content=_SIGNED)
_CUSTOM_CALL = known("id index type", custom=_CUSTOM, extra_content=_SIGNED)


def _content_item(fields: Mapping[str, Any]) -> Known:
    """Return what is known of an item of a content, by the field that is read of it."""
    kind = fields.get("type")
    if fields.get("text") is not None or not isinstance(kind, str):
        return _TEXT_ITEM
    return _ITEMS.get(kind, _OTHER_ITEM)


_TEXT_ITEM = known(f"type index {_CITED}", text=WHOLE, reference_ids=WHOLE, annotations=WHOLE)
_OTHER_ITEM = known(f"type {_CITED}", reference_ids=WHOLE)
_ADDRESS = or_text(known("url detail file_id format"))
_ITEMS = {
    "refusal": known(f"type {_CITED}", refusal=WHOLE),
    "document": known(f"type {_CITED}", document=known("id", data=WHOLE)),
    "thinking": known(f"type closed signature {_CITED}", thinking=WHOLE),
    **{
        kind: known(f"type file_id {_CITED}", **{kind: _ADDRESS})
        for kind in ("image_url", "document_url", "video_url", "input_audio", "audio", "file")
    },
}
CONTENT = by_fields(_content_item, is_text=True)
MESSAGE_FIELDS: dict[str, Known] = {
    "content": CONTENT,
    "refusal": WHOLE,
    "tool_calls": by_fields(_tool_call),
    "function_call": _FUNCTION,
    "annotations": by_fields(_nested_source),
    "audio": _SOUND,
    "reasoning_content": WHOLE,
    "reasoning": WHOLE,
    "thinking": WHOLE,
    "reasoning_details": WHOLE,
    "extra_content": _SIGNED,
}
"""Fields of a message and of a delta that are read."""
_MESSAGE_NAMES = "role id type object tool_call_id weight prefix index signature reasoning_signature"
MESSAGE = single(with_made(known(_MESSAGE_NAMES, **MESSAGE_FIELDS), "parsed"))
DELTA = or_text(known(_MESSAGE_NAMES, **MESSAGE_FIELDS))
_TOKEN = known("logprob token_id", bytes=WHOLE, bytes_=WHOLE, top_logprobs=WHOLE)
LOGPROBS = known(content=_TOKEN, refusal=_TOKEN, text_offset=WHOLE, token_logprobs=WHOLE, top_logprobs=WHOLE)
"""Tokens of an answer, which are read as one text; the alternatives that the model did not choose are not said."""
_CHOICE_NAMES = "finish_reason native_finish_reason stop_reason index matched_stop"
_HEAD_NAMES = (
    "id object created model service_tier system_fingerprint provider obfuscation request_id "
    "created_at generation_id conversation_id _request_id"
)
_MODERATED = known_tree("type model code category_applied_input_types image text")
_HEAD: dict[str, Known] = {
    "usage": COUNTS,
    "x_groq": known_tree("id"),
    "usage_breakdown": COUNTS,
    "prompt_filter_results": VERDICTS,
    "moderation": _MODERATED,
    "timings": COUNTS,
    METRICS: COUNTS,
    "time_info": COUNTS,
}
_CHOICE: dict[str, Known] = {
    "logprobs": LOGPROBS,
    "content_filter_results": VERDICTS,
    "content_filter_result": VERDICTS,
    **numbers("seed"),
}


def choice_of(**message: Known) -> Known:
    """Return what is known of a choice with the fields ``message``."""
    return numbered(known(_CHOICE_NAMES, **_CHOICE, **message))


def chat_of(choice: Known) -> Known:
    """Return what is known of a completion with such choices."""
    return known(_HEAD_NAMES, choices=choice, **_HEAD)


LABELS = frozenset(("metadata",))
"""Fields with labels of the application's own, which the service repeats."""
CHAT = AnswerFields(chat_of(choice_of(message=MESSAGE)), body_of, edit_answer, LABELS)
CHAT_CHUNK = AnswerFields(chat_of(choice_of(delta=DELTA)), repeated=LABELS)


def _choice_of_chunk(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a choice that may repeat the text of its delta."""
    text = fields.get("text")
    return _REPEATING if text and text == as_mapping(fields.get("delta")).get("content") else _CHUNK_CHOICE


_CHUNK_CHOICE = choice_of(delta=DELTA)
_REPEATING = choice_of(delta=DELTA, text=WHOLE)
TOGETHER_CHUNK = AnswerFields(chat_of(by_fields(_choice_of_chunk)), repeated=LABELS)
COMPLETION = AnswerFields(chat_of(choice_of(text=WHOLE)), body_of, edit_answer)
COMPLETION_CHUNK = AnswerFields(chat_of(choice_of(text=WHOLE)))
