"""A scripted model behind the real ``openai`` client: each request has the next turn, streamed if asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from openai_wire import Wire, chunk, completion, sse, usage

Turn = str | Mapping[str, Mapping[str, Any]]
"""A text, or tools to be called by name with their arguments."""


@dataclass
class Turns(Wire):
    """What the model says, turn by turn; each client of it makes real requests."""

    def __init__(self, *turns: Turn) -> None:
        super().__init__({})
        self.turns = list(turns)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        turn = self.turns[len(self.requests)]
        self.body = _streamed(turn) if json.loads(request.content).get("stream") else _whole(turn)
        return super().__call__(request)


def _called(turn: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    return [(name, json.dumps(arguments)) for name, arguments in turn.items()]


def _whole(turn: Turn) -> dict[str, Any]:
    return completion(turn) if isinstance(turn, str) else completion(None, tools=_called(turn))


def _streamed(turn: Turn) -> str:
    last = {**chunk(), "choices": [], "usage": usage()}
    if isinstance(turn, str):
        said = [chunk({"role": "assistant", "content": text}) for text in (turn[:2], turn[2:])]
        return sse([*said, chunk({}, "stop"), last])
    calls = [
        {"index": i, "id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for i, (name, arguments) in enumerate(_called(turn))
    ]
    return sse([chunk({"role": "assistant", "tool_calls": calls}), chunk({}, "tool_calls"), last])
