"""Tool approval of the OpenAI Agents SDK: a run that was interrupted goes on with what people said.

Source: https://openai.github.io/openai-agents-python/human_in_the_loop/
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from specspan.approvals.approval import Approval

if TYPE_CHECKING:
    from agents import RunResult, RunState


async def resolve_interruptions(result: RunResult, approval: Approval) -> RunState[Any]:
    """Return the state from which ``Runner.run`` goes on, each interruption approved or rejected.

    Each is an approval of its own, named by the tool call's id: after a restart the same one is found.

    Raises:
        StoreError: the store cannot be written.
    """
    state = result.to_state()
    items = list(result.interruptions)
    asked = [
        approval.request(item.tool_name or "", _arguments(item.raw_item), key=_key(item.raw_item)) for item in items
    ]
    outcomes = await asyncio.gather(*(pending.wait_async() for pending in asked))
    for item, outcome in zip(items, outcomes, strict=True):
        if outcome.is_approved:
            state.approve(item)
        else:
            state.reject(item, rejection_message="Nobody approved this tool call.")
    return state


def _arguments(item: Any) -> Any:
    text = _member(item, "arguments")
    try:
        return json.loads(text)
    except (TypeError, ValueError):
        return text


def _key(item: Any) -> str | None:
    call_id = _member(item, "call_id") or _member(item, "id")
    return None if call_id is None else f"openai-agents {call_id}"


def _member(item: Any, name: str) -> Any:
    return item.get(name) if isinstance(item, dict) else getattr(item, name, None)
