"""Why a model stopped, in the words of the GenAI conventions, which are those of OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS: Mapping[str, tuple[str, ...]] = {
    "stop": ("end_turn", "stop_sequence", "complete", "eos", "finish", "finished", "stop_criteria_met"),
    "length": ("max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"),
    "tool_calls": ("tool_use", "tool_call"),
    "content_filter": ("refusal", "content_filtered", "guardrail_intervened", "safety", "recitation", "error_toxic"),
}
_CONVENTION: Mapping[str, str] = {each: word for word, known in _WORDS.items() for each in (word, *known)}


def finish_reason(said: Any, *, wants_tool: bool = False) -> str | None:
    """A provider's word for why the model stopped, in the conventions'; one they have none for stays as it came.

    ``wants_tool``: of a service without a word of its own for that, whether there is a tool to be called.
    """
    known = _CONVENTION.get(said.lower(), said) if isinstance(said, str) else None
    return "tool_calls" if wants_tool and known == "stop" else known
