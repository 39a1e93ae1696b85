"""Tasks of review, their states, and the rulings on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from specspan.decision import Outcome, ReviewCause


class ReviewState(str, Enum):
    """State of a task."""

    OPEN = "open"
    """Nobody works on it. It may have rulings already, if it wants more than one."""
    CLAIMED = "claimed"
    """One reviewer works on it, until the claim lapses."""
    RULED = "ruled"
    """It has every ruling that it wants."""
    EXPIRED = "expired"
    """Its time was over before that."""


class RulingKind(str, Enum):
    """Ruling of a reviewer on the outcome that the checks found."""

    CONFIRM = "confirm"
    OVERRULE = "overrule"
    """The outcome is another, which the ruling names."""
    CANNOT_SAY = "cannot_say"
    """What is shown does not suffice, or the clause does not decide the case."""


RULED_OUTCOMES = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.NOT_APPLICABLE)
"""Outcomes that a reviewer may rule."""


@dataclass(frozen=True, slots=True)
class ReviewTask:
    """Task as it stands: one clause of one decision."""

    id: str
    """The decision's id, a dot and eight digits of the clause's digest."""
    decision_id: str
    clause: str
    outcome: str
    """Outcome that the checks found."""
    causes: Sequence[ReviewCause]
    service: str | None
    trace_id: str | None
    state: ReviewState
    opened_unix_nano: int
    expires_unix_nano: int | None
    """Time from which on nobody rules; None for no end."""
    claimed_by: str | None
    """Reviewer who works on it; None where nobody does, or the claim has lapsed."""
    claimed_until_unix_nano: int | None
    wanted_rulings: int
    """Rulings of different reviewers that it takes; one more once two of them disagree."""
    ruled_by: Sequence[str]
    """Reviewers who ruled, in the order of their rulings. What they ruled is in `Ruling`, for those who may see it."""
    ruled_outcome: str | None
    """Outcome that holds from now on; None before, and where the reviewers could not say or did not agree."""
    ruled_unix_nano: int | None
    had_content: bool
    """True where the call's content was recorded with the decision."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Ruling of one reviewer on one task."""

    id: str
    """Id of the ruling, which its caller chooses: a ruling that is sent twice is made once."""
    task_id: str
    reviewer: str
    kind: RulingKind
    outcome: str | None
    """Outcome that the reviewer rules; None for `RulingKind.CANNOT_SAY`."""
    reason: str
    """Reason in the reviewer's words."""
    time_unix_nano: int


@dataclass(frozen=True, slots=True)
class RuledTask:
    """Task that nobody rules on any more, with every ruling on it."""

    task: ReviewTask
    rulings: Sequence[Ruling]


@dataclass(frozen=True, slots=True)
class ReviewFilter:
    """Conditions on tasks in a list; None admits everything."""

    state: ReviewState | None = None
    clause: str | None = None
    service: str | None = None
    cause: ReviewCause | None = None
    claimed_by: str | None = None
    for_reviewer: str | None = None
    """Only tasks that this person may rule on now: not ruled by them already, not claimed by somebody else."""


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """Part of a list of tasks, the one opened last first."""

    tasks: Sequence[ReviewTask]
    next_key: str | None
    """Key of the next part; None where this is the last."""


@dataclass(frozen=True, slots=True)
class RulingResult:
    """Result of a ruling."""

    task: ReviewTask
    """Task with the ruling."""
    ruling: Ruling
    amended: tuple[str, str] | None
    """Verdict of the decision before and after, where the ruling changed it."""
