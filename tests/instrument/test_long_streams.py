"""Long streams: what a chunk costs does not grow with the answer before it."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_policies import policy
from enforcement_table import wire_of

from specspan.instrument.formats.anthropic_stream import MessageAccumulator
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator
from specspan.instrument.install import instrument, uninstrument
from specspan.testing import recorded

ACCUMULATORS: dict[str, type[Any]] = {"anthropic": MessageAccumulator, "openai_chat": ChatAccumulator}
PIECE = "word "


class Chunks:
    """Output that keeps nothing of what it takes."""

    count = 0

    def take(self, chunk: Any) -> None:
        self.count += 1


def read(name: str, pieces: int, clause: dict[str, Any], pattern: dict[str, Any], action: str = "block") -> int:
    """Read a stream of so many pieces under a policy. Returns the peak of memory in bytes beyond the stream itself."""
    wire, chunks = wire_of(name), Chunks()
    service = Service(wire.encode(wire.stream(*[PIECE] * pieces)), is_stream=True)
    with recorded(policy(action, clause, pattern)):
        tracemalloc.start()
        wire.modes["stream"](service, chunks, {})
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert chunks.count >= pieces
    return peak


@pytest.mark.parametrize("name", ACCUMULATORS)
@pytest.mark.parametrize(
    ("clause", "pattern"),
    [({"on_unread": "closed"}, {}), ({}, {"parts": ["text", "reasoning"]})],
    ids=["on_unread", "reasoning"],
)
def test_a_chunk_is_read_by_itself(
    name: str, clause: dict[str, Any], pattern: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Policies that look beyond the text read no chunk again because another one came."""
    accumulator, sizes = ACCUMULATORS[name], list[int]()
    result = accumulator.result

    def measured(self: Any) -> Any:
        answer = result(self)
        sizes.append(str(vars(answer) if hasattr(answer, "__dict__") else answer).count(PIECE))
        return answer

    monkeypatch.setattr(accumulator, "result", measured)
    instrument(wire_of(name).provider)
    try:
        read(name, 400, clause, pattern)
    finally:
        uninstrument()
    assert sum(sizes) < 5 * 400


@pytest.mark.parametrize("action", ["redact"])
@pytest.mark.parametrize("name", ACCUMULATORS)
def test_memory_is_that_of_the_text(name: str, action: str) -> None:
    """Beside its text, a stream keeps no more after many chunks than after few."""
    instrument(wire_of(name).provider)
    try:
        read(name, 100, {}, {}, action)  # what is made once
        few, many = (read(name, pieces, {}, {}, action) for pieces in (200, 1200))
    finally:
        uninstrument()
    assert (many - few) / 1000 < 150  # a chunk's text is kept as two references, and once joined
