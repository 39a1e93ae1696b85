"""Interrupts of LangGraph: a graph that stopped at `interrupt` goes on with what people said.

Source: https://docs.langchain.com/oss/python/langgraph/interrupts
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from specspan.approvals.approval import Approval

if TYPE_CHECKING:
    from langgraph.types import Command, Interrupt


async def resolve_interrupts(
    interrupts: Sequence[Interrupt], approval: Approval, *, name: str = "interrupt"
) -> Command[Any]:
    """Return the command that resumes a graph: each `interrupt` returns True where its value was approved.

    Each is an approval of its own, named by the interrupt's id: after a restart from the checkpoint the same one is
    found.

    Args:
        interrupts: ``__interrupt__`` of what the graph returned.
        approval: the way to ask.
        name: name of what is approved, where the value is not a mapping with a ``name``.

    Raises:
        StoreError: the store cannot be written.
    """
    from langgraph.types import Command

    asked = [approval.request(_name(each.value, name), each.value, key=f"langgraph {each.id}") for each in interrupts]
    outcomes = await asyncio.gather(*(pending.wait_async() for pending in asked))
    pairs = zip(interrupts, outcomes, strict=True)
    return Command(resume={each.id: outcome.is_approved for each, outcome in pairs})


def _name(value: Any, default: str) -> str:
    name = value.get("name") if isinstance(value, dict) else None
    return name if isinstance(name, str) and name else default
