"""Seam of a candidate policy, which decides calls beside the one in force and acts on none."""

from __future__ import annotations

from typing import Protocol

from specspan.call import ModelCall
from specspan.decision import Decision


class Shadow(Protocol):
    """Decider of calls that are over. Called by every thread that makes calls; nothing is raised, and nothing waits."""

    def take(self, call: ModelCall, decision: Decision, *, is_cut_short: bool) -> None:
        """Take a call that is decided and recorded.

        Args:
            call: the call as its checks read it, before any edit.
            decision: the decision about it.
            is_cut_short: True for a streamed answer of which the rest never came.
        """

    def flush(self, timeout_s: float) -> bool:
        """Decide and record everything taken so far; return False where that took longer, or some was lost."""

    def shutdown(self, timeout_s: float) -> None:
        """Take nothing more, and flush; what is left is given up, and counted."""
