"""Public tools for your own tests: recording into memory, a clock and ids to set, a scripted model and judge."""

from specspan.testing.fakes import FakeClock, FakeDecisionIds, FakeSpanIds
from specspan.testing.memory import MemoryDecisions, Recorded, recorded
from specspan.testing.script import Prompt, Reply, Script
from specspan.testing.scripted_judge import JudgeFault, ScriptedJudge
from specspan.testing.server import ScriptedModel

__all__ = [
    "FakeClock",
    "FakeDecisionIds",
    "FakeSpanIds",
    "JudgeFault",
    "MemoryDecisions",
    "Prompt",
    "Recorded",
    "Reply",
    "Script",
    "ScriptedJudge",
    "ScriptedModel",
    "recorded",
]
