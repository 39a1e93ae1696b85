"""Call as JSON, for services that decide by more than a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.checks.conditions.variables import Values
from specspan.decision import Stage


def call_json(clause_id: str, call: ModelCall, stage: Stage, texts: Sequence[TextAt]) -> dict[str, Any]:
    """Return what a service is told of a call: the values of conditions, and the texts that the check reads.

    Raises:
        UnreadableValue: a tool's arguments or answer, or a fact, are too deep or too large.
    """
    values = Values(call)
    names: Iterable[str] = ("call", "context", "input", "output", "tools", "history")
    told = {name: values.of(name) for name in names}
    read = [{"pointer": text.pointer, "role": text.role, "text": text.text} for text in texts]
    return {"clause": clause_id, "stage": stage.value, "texts": read, **told}
