"""Places of an answer in which a text is by rule not read, or not before the answer ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from walk_bodies import MUTANT

METADATA = frozenset(
    ("billed_units", "cache_creation", "completionReason", "contentBlockIndex", "content_index", "createTime",
     "created", "created_at", "done", "done_reason", "eval_count", "event", "finishReason", "finish_reason", "id",
     "incomplete_details", "index", "item_id", "latencyMs", "load_duration", "logprobs", "metrics", "model",
     "modelVersion", "object", "obfuscation", "output_index", "prompt_eval_count", "responseId", "role",
     "sequence_number", "service_tier", "signature", "status", "stopReason", "stop_reason", "stop_sequence",
     "system_fingerprint", "toolUseId", "total_duration", "type", "usage", "usageMetadata", "x_groq")
)  # fmt: skip
"""Fields that name, count or date what a model says: no check of texts reads what stands in them."""
SETTINGS = frozenset(
    ("previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "tool_choice",
     "tools", "truncation", "user")
)  # fmt: skip
"""Fields in which a service repeats what the application sent."""
_OBJECTS_OF_SETTINGS = frozenset(("billing", "reasoning", "text"))
"""Objects of a response of the Responses API in which it does so; such names mean other things elsewhere."""
_REASONING = frozenset(("reasoningContent", "reasoning_content", "reasoning_details", "thinking"))
_KINDS_OF_REASONING = ("reasoning", "thinking", "summary_text", "response.reasoning")
_TOOL_CALLS = frozenset(("arguments", "function", "functionCall", "partial_json", "toolUse", "tool_calls"))
_KINDS_OF_TOOL_CALLS = ("function_call", "tool_use", "input_json_delta", "response.function_call", "response.custom")


def is_metadata(path: Sequence[Any]) -> bool:
    """Return whether a place is in fields of no text of the model's."""
    return not (METADATA | SETTINGS).isdisjoint(path)


def is_of_settings(path: Sequence[Any], value: Any) -> bool:
    """Return whether what took a place stands inside an object of settings; a text in place of the object is read."""
    inner = path[1:] if path[:1] == ("response",) else path
    return inner[:1] != () and inner[0] in _OBJECTS_OF_SETTINGS and (len(inner) > 1 or isinstance(value, dict))


def is_reasoning(body: Any) -> bool:
    """Return whether the text of a mutant stands in reasoning alone."""
    found = list(_around_mutant(body, (), ()))
    return bool(found) and all(
        not _REASONING.isdisjoint(names)
        or ({"message", "delta"} & set(names) and "reasoning" in names)
        or any(kind.startswith(_KINDS_OF_REASONING) for kind in kinds)
        for names, kinds in found
    )


def is_of_tool_call(body: Any) -> bool:
    """Return whether the text of a mutant stands in the tool calls of a stream alone."""
    found = list(_around_mutant(body, (), ()))
    is_stream = isinstance(body, list) and len(body) > 1
    return (
        is_stream
        and bool(found)
        and all(
            not _TOOL_CALLS.isdisjoint(names) or any(kind.startswith(_KINDS_OF_TOOL_CALLS) for kind in kinds)
            for names, kinds in found
        )
    )


_Around = tuple[tuple[str, ...], tuple[str, ...]]


def _around_mutant(value: Any, names: tuple[str, ...], kinds: tuple[str, ...]) -> Iterator[_Around]:
    """Yield the names of the fields and the kinds of the objects around each text of a mutant."""
    if isinstance(value, str):
        if MUTANT in value:
            yield names, kinds
    elif isinstance(value, Mapping):
        kind = "thinking" if value.get("thought") is True else value.get("type")
        inner = (*kinds, kind) if isinstance(kind, str) else kinds
        for name, each in value.items():
            yield from _around_mutant(each, (*names, name), inner)
    elif isinstance(value, list):
        for each in value:
            yield from _around_mutant(each, names, kinds)
