"""Fields of Cohere's answers and events, in the shapes of both of its APIs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from specspan.instrument.formats.known_chat import MESSAGE_FIELDS
from specspan.instrument.formats.known_fields import COUNTS, WHOLE, AnswerFields, Known, by_fields, known

_TOOL_CALL = MESSAGE_FIELDS["tool_calls"]
_SOURCES = known("type id", document=WHOLE, tool_output=WHOLE)
_CITATION = known("type start end content_index", text=WHOLE, sources=_SOURCES)
_THOUGHT = known("type", thinking=WHOLE)
_TEXT = known("type", text=WHOLE)


def _piece(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a piece of a content, which is a thought or a text."""
    return _TEXT if fields.get("thinking") is None else _THOUGHT


_CONTENT = by_fields(_piece, is_text=True)
MESSAGE = known("role", content=_CONTENT, tool_plan=WHOLE, tool_calls=_TOOL_CALL, citations=_CITATION)
_LOGPROBS = known("", token_ids=WHOLE, logprobs=WHOLE)
ANSWER = known("id finish_reason", message=MESSAGE, usage=COUNTS, logprobs=_LOGPROBS)
EVENT = known(
    "type index id",
    delta=known("finish_reason", message=MESSAGE, usage=COUNTS),
    logprobs=_LOGPROBS,
)

_CALLS = known("name", parameters=WHOLE)
_SOURCES_V1: dict[str, Known] = {
    "citations": WHOLE,
    "documents": WHOLE,
    "search_results": WHOLE,
}
_NAMES_V1 = "response_id generation_id finish_reason is_search_required conversation_id"
_TURN = known("role", tool_calls=_CALLS)
_ANSWER_V1 = {"meta": COUNTS, "tool_calls": _CALLS, "chat_history": _TURN, **_SOURCES_V1}
ANSWER_V1 = known(_NAMES_V1, text=WHOLE, **_ANSWER_V1)
_EVENT_NAMES = "event_type is_finished finish_reason generation_id index"
_WHOLE_EVENT = known(f"{_EVENT_NAMES} response_id", response=known(_NAMES_V1, **_ANSWER_V1))
_EVENTS = {
    "text-generation": known(_EVENT_NAMES, text=WHOLE),
    "tool-calls-generation": known(_EVENT_NAMES, tool_calls=_CALLS),
    "tool-calls-chunk": known(_EVENT_NAMES, tool_call_delta=WHOLE),
    "citation-generation": known(_EVENT_NAMES, **_SOURCES_V1),
    "search-results": known(_EVENT_NAMES, **_SOURCES_V1),
}
"""What is read of an event, by its type: the last one repeats what came, and other texts."""


def _event(fields: Mapping[str, Any]) -> Known:
    kind = fields.get("event_type")
    return _EVENTS.get(kind, _WHOLE_EVENT) if isinstance(kind, str) else _WHOLE_EVENT


EVENT_V1 = by_fields(_event)
REPEATED = frozenset(("chat_history",))


def answer_fields(known_fields: Known, body: Callable[[Any], Any], edit: Any) -> AnswerFields:
    """Return where the fields of an answer stand that ``body`` returns."""
    return AnswerFields(known_fields, body, edit, REPEATED)
