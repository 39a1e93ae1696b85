"""LangSmith's OpenTelemetry output: a run's inputs and outputs as JSON, in the shape of whatever was run.

Source: https://docs.langchain.com/langsmith/trace-with-opentelemetry
"""

from __future__ import annotations

from specspan.bridges.bodies import answered, asked
from specspan.bridges.conventions import IN_ATTRIBUTES, call_of
from specspan.bridges.facts import word
from specspan.bridges.model import Dialect, Recorded
from specspan.bridges.side import Side
from specspan.call import Message, ModelCall

_KINDS = {"llm": "chat", "embedding": "embeddings"}


def _read(recorded: Recorded) -> ModelCall | None:
    """Prompts and retrievers are given operations of the conventions, too: the kind of run tells them apart."""
    facts = recorded.attributes
    operation = _KINDS.get(str(facts["langsmith.span.kind"]).lower())
    if operation is None:
        return None
    provider = word(facts, "langsmith.metadata.ls_provider", "gen_ai.provider.name", "gen_ai.system") or "unknown"
    return call_of(
        recorded, (IN_ATTRIBUTES[0], _asked), (IN_ATTRIBUTES[1], _answered), provider=provider, operation=operation
    )


def _asked(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
    found = recorded.attributes.get("gen_ai.prompt")
    return None if found is None else asked(side, side.json(found))


def _answered(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
    found = recorded.attributes.get("gen_ai.completion")
    return None if found is None else answered(side, side.json(found))


DIALECT = Dialect("langsmith", lambda recorded: "langsmith.span.kind" in recorded.attributes, _read)
