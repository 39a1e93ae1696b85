"""Fields of Ollama's answers and of the chunks of their streams, which have one shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.instrument.formats.known_chat import CONTENT, LOGPROBS, MESSAGE_FIELDS
from specspan.instrument.formats.known_fields import WHOLE, AnswerFields, Known, by_fields, known, numbers

_TOKENS = LOGPROBS.inner["content"]
_MESSAGE = known(
    "role tool_name",
    content=CONTENT,
    tool_calls=MESSAGE_FIELDS["tool_calls"],
    images=WHOLE,
    **dict.fromkeys(("thinking", "reasoning", "reasoning_content"), WHOLE),
)
_NAMES = "model created_at done done_reason"
_NUMBERS = (
    "total_duration load_duration prompt_eval_count prompt_eval_duration eval_count eval_duration completed total"
)
_HEAD: dict[str, Known] = {"logprobs": _TOKENS, **numbers(_NUMBERS)}
_CHAT = known(_NAMES, message=_MESSAGE, **_HEAD)
_GENERATED = known(f"{_NAMES} image", response=WHOLE, thinking=WHOLE, context=WHOLE, **_HEAD)


def _answer(fields: Mapping[str, Any]) -> Known:
    """Return what is known of an answer, by the field that holds its text."""
    return _CHAT if "message" in fields else _GENERATED


GENERATED = AnswerFields(by_fields(_answer))
