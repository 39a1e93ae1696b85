"""LangSmith's OpenTelemetry output: a run's inputs and outputs as JSON, in the shape of whatever was run.

Source: https://docs.langchain.com/langsmith/trace-with-opentelemetry
"""

from __future__ import annotations

from dataclasses import replace

from specspan.bridges.attribute_values import mapping, usage, word
from specspan.bridges.conventions import IN_ATTRIBUTES, call_of, tools
from specspan.bridges.dialect import Dialect, Facts, Recorded
from specspan.bridges.messages import answered, asked
from specspan.bridges.recorded_content import Side
from specspan.call import NOT_COUNTED, Message, ModelCall, Usage

_USAGE = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_input_tokens": ("cache_read",),
    "cache_write_input_tokens": ("cache_write",),
    "reasoning_output_tokens": ("reasoning",),
}
_KINDS = {"llm": "chat", "embedding": "embeddings"}


def _read(recorded: Recorded) -> ModelCall | None:
    """Prompts and retrievers are given operations of the conventions, too: the kind of run tells them apart."""
    facts = recorded.attributes
    operation = _KINDS.get(str(facts["langsmith.span.kind"]).lower())
    if operation is None:
        return None
    provider = word(facts, "langsmith.metadata.ls_provider", "gen_ai.provider.name", "gen_ai.system") or "unknown"
    definitions = tools(facts.get("gen_ai.tool.definitions")) or tools(mapping(facts.get("gen_ai.prompt")).get("tools"))
    call = call_of(
        recorded,
        (IN_ATTRIBUTES[0], _asked),
        (IN_ATTRIBUTES[1], _answered),
        provider=provider,
        operation=operation,
        tools=definitions,
    )
    counted = _counted(mapping(facts.get("langsmith.metadata.usage_metadata")))
    if call.response is None or counted is NOT_COUNTED:
        return call
    return replace(call, response=replace(call.response, usage=counted))


def _counted(said: Facts) -> Usage:
    """LangChain's way to count, which tells more than the attributes of the conventions that stand beside it."""
    asked, answered = mapping(said.get("input_token_details")), mapping(said.get("output_token_details"))
    known = {
        **said,
        "cache_read": asked.get("cache_read"),
        "cache_write": asked.get("cache_creation"),
        "reasoning": answered.get("reasoning"),
    }
    return usage(known, _USAGE)


def _asked(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
    found = recorded.attributes.get("gen_ai.prompt")
    return None if found is None else asked(side, side.json(found))


def _answered(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
    found = recorded.attributes.get("gen_ai.completion")
    return None if found is None else answered(side, side.json(found))


DIALECT = Dialect("langsmith", lambda recorded: "langsmith.span.kind" in recorded.attributes, _read)
