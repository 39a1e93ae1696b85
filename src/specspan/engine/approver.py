"""Question to people over a call that the policy escalates, where somebody is there to be asked."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from typing import Protocol

from specspan.call import ModelCall
from specspan.decision import Action, Finding
from specspan.engine.precedence import CommandChain
from specspan.engine.stage_run import StageRun
from specspan.engine.waiting import Job, Steps


class ApprovalJob(Job, Protocol):
    """Question that was asked; waiting for it ends with an answer, or without one."""

    @property
    def is_approved(self) -> bool:
        """Return whether people approved; only once it was waited for."""


class Approver(Protocol):
    """Way to ask people. Nothing is raised."""

    def ask(self, call: ModelCall, findings: Iterable[Finding]) -> ApprovalJob | None:
        """Ask whether a call may go on over findings; None where nobody can be asked."""


current_approver: ContextVar[Approver | None] = ContextVar("specspan.approver", default=None)
"""Way to ask people over calls of this context; None: what is escalated is stopped."""


def ask_people(call: ModelCall, runs: Iterable[StageRun], chain: CommandChain) -> Steps[bool]:
    """Return whether people approve a call, over the findings that escalate it."""
    approver = current_approver.get()
    if approver is None:
        return False
    found = (finding for run in runs for finding in run.deviations.values())
    job = approver.ask(call, [each for each in found if chain.effective_action(each) is Action.ESCALATE])
    if job is None:
        return False
    yield job
    return job.is_approved
