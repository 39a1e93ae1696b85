"""For your own tests: what specspan records, kept in memory; a clock and ids to set; a scripted model to talk to."""

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
