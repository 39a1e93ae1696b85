"""Ways through clients of others that speak OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from enforcement_common_ways import doors
from enforcement_stainless import DOORS
from enforcement_table import Way
from enforcement_ways_openai_chat import WAYS as OPENAI

_PARTS = (2, 3, 4, 5, 10, 12)


def _ways(wire: str, parts: tuple[int, ...]) -> Iterator[Way]:
    yield from doors(wire, DOORS)
    for way in OPENAI:
        is_shared = not way.pattern or "parts" in way.pattern
        if way.part in parts and is_shared and not set(way.modes) - {"plain", "stream"}:
            yield replace(way, wire=wire, actions=_fewer(way), modes=way.modes or _sync(way))


def _fewer(way: Way) -> tuple[str, ...]:
    return tuple(action for action in way.actions if action in ("block", "openblock"))


def _sync(way: Way) -> tuple[str, ...]:
    return ("stream",) if way.is_stream else ("plain",)


WAYS = (*_ways("groq", (1, *_PARTS)), *_ways("together", _PARTS))
