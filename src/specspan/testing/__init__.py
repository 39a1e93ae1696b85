"""Public tools for your own tests: recording into memory, a clock and ids to set, and a scripted model to call."""

from specspan.testing.fakes import FakeClock, FakeDecisionIds, FakeSpanIds
from specspan.testing.memory import MemoryDecisions, Recorded, recorded
from specspan.testing.script import Prompt, Reply, Script
from specspan.testing.server import ScriptedModel

__all__ = [
    "FakeClock",
    "FakeDecisionIds",
    "FakeSpanIds",
    "MemoryDecisions",
    "Prompt",
    "Recorded",
    "Reply",
    "Script",
    "ScriptedModel",
    "recorded",
]
