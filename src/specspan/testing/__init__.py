"""For your own tests: a scripted model server that real clients talk to."""

from specspan.testing.script import Prompt, Reply, Script
from specspan.testing.server import ScriptedModel

__all__ = ["Prompt", "Reply", "Script", "ScriptedModel"]
