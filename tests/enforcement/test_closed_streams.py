"""A stream that its consumer closed: the client may still hold events of it, that nobody would decide."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_policies import policy_file
from enforcement_runner import decisions_of
from enforcement_table import WORD
from enforcement_wire_anthropic import RESOURCE as ANTHROPIC
from enforcement_wire_anthropic import WIRE as ANTHROPIC_WIRE
from enforcement_wire_openai_chat import RESOURCE as OPENAI
from enforcement_wire_openai_chat import WIRE as OPENAI_WIRE

from specspan.testing import recorded

CLIENTS = {"openai": (OPENAI, OPENAI_WIRE), "anthropic": (ANTHROPIC, ANTHROPIC_WIRE)}


def _service(name: str) -> Service:
    wire = CLIENTS[name][1]
    return Service((b"".join(wire.encode(wire.stream("fine ", "and ", WORD, " more"))),), is_stream=True)


def _read_on(name: str) -> list[Any]:
    """Return what the client hands over after it was closed."""
    resource = CLIENTS[name][0]
    stream = resource.sync(_service(name)).create(**resource.asked, stream=True)
    next(stream)
    stream.close()
    return list(stream)


def _read_on_later(name: str) -> list[Any]:
    async def read() -> list[Any]:
        resource = CLIENTS[name][0]
        stream = await resource.later(_service(name)).create(**resource.asked, stream=True)
        await anext(stream)
        await stream.close()
        return [each async for each in stream]

    return asyncio.run(read())


@pytest.mark.parametrize("read_on", [_read_on, _read_on_later])
@pytest.mark.parametrize("name", CLIENTS)
def test_nothing_is_handed_over_after_the_decision(name: str, read_on: Any) -> None:
    """In enforce mode the stream ends where it was closed; in observe mode it is as it was."""
    held = read_on(name)
    assert held
    with recorded(policy_file("block", {}, {})) as record:
        assert read_on(name) == []
        (decision,) = decisions_of(record)
    assert (decision["verdict"], decision["action"]) == ("unassessed", "allow")
    with recorded(policy_file("block", {}, {}, mode="observe")):
        assert read_on(name) == held
