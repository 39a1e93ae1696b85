"""Asking for an answer of the Responses API, through the sync and the async client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from openai_wire import Wire
from policies import bound, pattern, policy

from specspan.decision import Action, Mode, Stage
from specspan.policy.policy import Policy

Respond = Callable[..., Any]


def respond_sync(wire: Wire, *, method: str = "create", **parameters: Any) -> Any:
    with wire.sync_client() as client:
        answer = _method(client, method)(**{"model": "gpt-test", "input": "hi", **parameters})
        return list(answer) if parameters.get("stream") else answer


def respond_async(wire: Wire, *, method: str = "create", **parameters: Any) -> Any:
    async def respond() -> Any:
        async with wire.async_client() as client:
            answer = await _method(client, method)(**{"model": "gpt-test", "input": "hi", **parameters})
            return [each async for each in answer] if parameters.get("stream") else answer

    return asyncio.run(respond())


def _method(client: Any, name: str) -> Any:
    found = client.responses
    for part in name.split("."):
        found = getattr(found, part)
    return found


OUTPUT: list[Any] = [
    {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hmm"}]},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "cats"}},
    {
        "type": "mcp_call",
        "id": "mcp_1",
        "name": "fetch",
        "server_label": "s",
        "arguments": '{"url": "u"}',
        "output": "A page.",
    },
    {
        "type": "image_generation_call",
        "id": "ig_1",
        "status": "completed",
        "result": "QUFBQQ==",
        "output_format": "webp",
    },
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "Here.", "annotations": []},
            {"type": "refusal", "refusal": "But no."},
        ],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "look", "arguments": '{"at": 1}'},
]
"""One item of every kind that answers are made of."""


def rule(action: Action, stage: Stage = Stage.OUTPUT, mode: Mode = Mode.ENFORCE) -> Policy:
    """A policy under which no such number may be said."""
    check = pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn")
    return policy(bound("privacy", check, action=action, replacement="(withheld)"), mode=mode)
