"""Memory of tool calls by conversation: names, numbers and times, no texts. Each process has its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from specspan._support.caches import BoundedCache
from specspan._support.process import ForkedLock

MAX_CONVERSATIONS = 10_000
"""Most conversations that are remembered for one check; the oldest are forgotten first."""
MAX_CALLS = 1_000
"""Most tool calls that are remembered of a conversation."""


@dataclass(frozen=True, slots=True)
class RememberedCall:
    """Tool call, as far as a later one is decided by it."""

    name: str
    id: str | None
    time_s: float | None
    """Monotonic time of the answer that asked for it; None where it was read from the messages that were sent."""
    amounts: Mapping[str, float]
    """Arguments that are summed up."""


class ToolMemory:
    """Tool calls that one check let pass, by conversation."""

    def __init__(self) -> None:
        self.lock = ForkedLock()
        """Lock around reading and adding, so that two answers at once cannot both take what is left."""
        self._by_conversation: BoundedCache[str, deque[RememberedCall]] = BoundedCache(MAX_CONVERSATIONS)

    def calls(self, conversation: str) -> Sequence[RememberedCall]:
        """Return the tool calls of a conversation, oldest first."""
        return tuple(self._by_conversation.get(conversation, ()))

    def add(self, conversation: str, call: RememberedCall) -> None:
        """Add a tool call."""
        if conversation not in self._by_conversation:
            self._by_conversation[conversation] = deque(maxlen=MAX_CALLS)
        self._by_conversation[conversation].append(call)


_memories: BoundedCache[Hashable, ToolMemory] = BoundedCache(256)
_lock = ForkedLock()


def memory_of(key: Hashable) -> ToolMemory:
    """Return this process's memory of the check that ``key`` names: the same one after a policy was loaded again."""
    with _lock.held:
        memory = _memories.get(key)
        if memory is None:
            memory = _memories[key] = ToolMemory()
        return memory
