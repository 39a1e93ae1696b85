"""Fields of InvokeModel bodies of text completion, whose makers name the same few fields differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.instrument.formats.known_converse import METRICS
from specspan.instrument.formats.known_fields import COUNTS, WHOLE, Known, by_fields, known, numbers

CHOICE_FIELDS = ("results", "outputs", "generations", "completions")
"""Fields of a body that hold its choices."""
TEXT_FIELDS = ("outputText", "text", "generation", "completion")
"""Fields of a choice that hold its text."""
_NAMES = (
    "type completionReason stop_reason finish_reason finishReason stop response_id id generation_id index model "
    "event_type response_type"
)
_COUNTS = numbers(
    "inputTextTokenCount prompt_token_count totalOutputTextTokenCount generation_token_count tokenCount is_finished "
    "relevance_score"
)
_NUMBERS = dict.fromkeys(("embedding", "embeddings", "embeddingsByType"), WHOLE)
_SHARED: dict[str, Known] = {
    **_NUMBERS,
    **_COUNTS,
    METRICS: COUNTS,
    "meta": COUNTS,
    "tool_calls": known("name", parameters=WHOLE),
    "images": WHOLE,
    "chat_history": known("role", tool_calls=WHOLE),
    "artifacts": known("finishReason seed", base64=WHOLE),
    "finishReason": known("reason length"),
    "results": known(),
}
_TOKENS = known("", generatedToken=COUNTS, topTokens=WHOLE, textRange=COUNTS)
_DATA = known("", text=WHOLE, tokens=_TOKENS)
_CACHE: dict[str, Known] = {}


def _choice(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a choice: the one field with its text that is read."""
    name = next((each for each in TEXT_FIELDS if fields.get(each)), "")
    if not name and isinstance(fields.get("data"), Mapping):
        name = "data"
    listed = _CACHE.get(name)
    if listed is None:
        read = {name: _DATA if name == "data" else WHOLE} if name else {}
        listed = _CACHE[name] = known(_NAMES, **(_SHARED | read))
    return listed


def _body(fields: Mapping[str, Any]) -> Known:
    """Return what is known of a body, which may itself be the choice."""
    name = next((each for each in CHOICE_FIELDS if each in fields), None)
    return _choice(fields) if name is None else _WITH_CHOICES[name]


_CHOICE = by_fields(_choice, is_text=True)
_PROMPT = known("", text=known(), tokens=WHOLE)
_WITH_CHOICES = {name: known(_NAMES, **(_SHARED | {"prompt": _PROMPT, name: _CHOICE})) for name in CHOICE_FIELDS}
REPEATED = frozenset(("chat_history", "prompt"))
"""Fields in which a service repeats what the application sent."""
TEXT_BODY = by_fields(_body)
