"""Changes of a task's state: who may make which, and what the task is afterwards. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timezone

from specspan.errors import OversightRefused
from specspan.review.review_task import RULED_OUTCOMES, ReviewState, ReviewTask, RulingKind

CLAIM_S = 900.0
"""Seconds for which a claim keeps a task from others."""
_BILLION = 10**9
_AWAITED = (ReviewState.OPEN, ReviewState.CLAIMED)


def at_time(task: ReviewTask, now_ns: int) -> ReviewTask:
    """Return a task as it is now: a claim lapses, and a task that nobody ruled on expires."""
    if task.state not in _AWAITED:
        return task
    if task.expires_unix_nano is not None and now_ns >= task.expires_unix_nano:
        return replace(task, state=ReviewState.EXPIRED, claimed_by=None, claimed_until_unix_nano=None)
    if task.claimed_until_unix_nano is not None and now_ns >= task.claimed_until_unix_nano:
        return replace(task, state=ReviewState.OPEN, claimed_by=None, claimed_until_unix_nano=None)
    return task


def claim(task: ReviewTask, reviewer: str, now_ns: int, claim_s: float = CLAIM_S) -> ReviewTask:
    """Return a task that a reviewer works on; one's own claim is prolonged.

    Raises:
        OversightRefused: somebody else has it, the reviewer has ruled already, or nobody rules on it any more.
    """
    _require_awaited(task)
    if reviewer in task.ruled_by:
        problem = f"{reviewer!r} has ruled on {task.id} already"
        raise OversightRefused("own_ruling", problem, "A second ruling is for another reviewer.")
    if task.claimed_by not in (None, reviewer):
        until = _clock(task.claimed_until_unix_nano or now_ns)
        problem = f"{task.claimed_by!r} works on {task.id} until {until}"
        raise OversightRefused("claimed", problem, "Take another one, or wait until the claim is given back.")
    until_ns = now_ns + int(claim_s * _BILLION)
    return replace(task, state=ReviewState.CLAIMED, claimed_by=reviewer, claimed_until_unix_nano=until_ns)


def release(task: ReviewTask, reviewer: str, *, is_admin: bool = False) -> ReviewTask:
    """Return a task that its reviewer gave back.

    Raises:
        OversightRefused: somebody else works on it, or nobody does.
    """
    _require_awaited(task)
    if task.claimed_by is None or (task.claimed_by != reviewer and not is_admin):
        whose = "nobody" if task.claimed_by is None else repr(task.claimed_by)
        raise OversightRefused("not_claimed", f"{whose} has claimed {task.id}", "Give back what you have claimed.")
    return replace(task, state=ReviewState.OPEN, claimed_by=None, claimed_until_unix_nano=None)


def ruled_outcome(task: ReviewTask, kind: RulingKind, outcome: str | None) -> str | None:
    """Return the outcome that a ruling says; None where the reviewer cannot say.

    Raises:
        OversightRefused: the outcome does not fit the kind of ruling.
    """
    words = ", ".join(each.value for each in RULED_OUTCOMES)
    if kind is RulingKind.OVERRULE:
        if outcome is None or outcome == task.outcome or outcome not in {each.value for each in RULED_OUTCOMES}:
            problem = f"invalid outcome {outcome!r}, where the checks found {task.outcome!r}"
            raise OversightRefused("invalid_outcome", problem, f"Overrule with another one of {words}.")
        return outcome
    if outcome is not None and (kind is RulingKind.CANNOT_SAY or outcome != task.outcome):
        problem = f"a ruling {kind.value!r} names no outcome"
        raise OversightRefused("invalid_outcome", problem, "Leave it out, or overrule.")
    if kind is RulingKind.CONFIRM and task.outcome not in {each.value for each in RULED_OUTCOMES}:
        problem = f"the outcome {task.outcome!r} leaves the clause undecided, and cannot be confirmed"
        raise OversightRefused("invalid_outcome", problem, f"Overrule with one of {words}, or rule 'cannot_say'.")
    return task.outcome if kind is RulingKind.CONFIRM else None


def rule(task: ReviewTask, reviewer: str, outcomes: Sequence[str | None], now_ns: int) -> ReviewTask:
    """Return a task with one more ruling, which its reviewer has claimed.

    Args:
        task: the task before.
        reviewer: who rules.
        outcomes: what every ruling said, this one last.
        now_ns: the time.
    """
    ruled_by = (*task.ruled_by, reviewer)
    wanted = max(task.wanted_rulings, 3) if len(outcomes) == 2 and outcomes[0] != outcomes[1] else task.wanted_rulings
    after = replace(
        task,
        ruled_by=ruled_by,
        wanted_rulings=wanted,
        claimed_by=None,
        claimed_until_unix_nano=None,
        state=ReviewState.OPEN,
    )
    if len(ruled_by) < wanted:
        return after
    return replace(after, state=ReviewState.RULED, ruled_outcome=majority(outcomes), ruled_unix_nano=now_ns)


def majority(outcomes: Sequence[str | None]) -> str | None:
    """Return the outcome that more than half of the rulings say; None where there is none."""
    ((outcome, count),) = Counter(outcomes).most_common(1)
    return outcome if 2 * count > len(outcomes) else None


def is_visible(task: ReviewTask, reviewer: str) -> bool:
    """Return whether a person may see rulings of others: they have ruled themselves, or nobody does any more."""
    return task.state not in _AWAITED or reviewer in task.ruled_by


def _require_awaited(task: ReviewTask) -> None:
    if task.state is ReviewState.RULED:
        who, when = " and ".join(map(repr, task.ruled_by)), _clock(task.ruled_unix_nano or 0)
        outcome = "undecided" if task.ruled_outcome is None else repr(task.ruled_outcome)
        problem = f"{who} ruled on {task.id} first, at {when}: {outcome}"
        raise OversightRefused("already_ruled", problem, "Read that ruling; ask for a new review if it is wrong.")
    if task.state is ReviewState.EXPIRED:
        when = _clock(task.expires_unix_nano or 0)
        raise OversightRefused("expired", f"{task.id} expired at {when}", "Ask for a new review of the decision.")


def _clock(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano / _BILLION, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
